/** I/O services to a broker in memory, whose connections are cut at a byte. Time is a number, and passes when nothing else happens. */

import { setImmediate as macrotask } from "node:timers/promises";
import type { ByteStream, Endpoint, IoServices, Millis, StreamHandler } from "@leveret/core/client";
import { type Broker, BrokerDriver, type DriverLink } from "../../broker/index.ts";

/** Where one connection ends: after so many bytes in one direction. */
export interface Cut {
  readonly direction: "to-server" | "to-client";
  readonly after: number;
}

interface Timer {
  readonly at: Millis;
  readonly fire: () => void;
}

export class CuttingIo implements IoServices {
  readonly runtime = "in memory";
  readonly capabilities = { tcp: true, tls: false, unix: false, websocket: false, pause: "exact" } as const;
  /** Bytes of each connection so far, by direction. */
  readonly traffic: { "to-server": number; "to-client": number }[] = [];
  readonly #driver: BrokerDriver;
  readonly #cuts: readonly (Cut | undefined)[];
  #time: Millis = 0;
  #tasks: (() => void)[] = [];
  readonly #timers = new Set<Timer>();

  /** @param cuts - For each connection, in order; later ones live on. */
  constructor(broker: Broker, cuts: readonly (Cut | undefined)[]) {
    this.#cuts = cuts;
    this.#driver = new BrokerDriver(broker, this);
  }

  now(): Millis {
    return this.#time;
  }

  random(): number {
    return 0;
  }

  post(task: () => void): void {
    this.#tasks.push(task);
  }

  setTimer(delay: Millis, fire: () => void): () => void {
    const timer = { at: this.#time + delay, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  connect(_: Endpoint, handler: StreamHandler): ByteStream {
    const cut = this.#cuts[this.traffic.length];
    const traffic = { "to-server": 0, "to-client": 0 };
    this.traffic.push(traffic);
    return new CutStream(this, this.#driver, handler, cut, traffic);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** The value of a promise, for which as much time passes as it takes; at most an hour. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const end = (): void => {
      over = true;
    };
    promise.then(end, end);
    const limit = this.#time + 3_600_000;
    while (!over) {
      await this.settle();
      if (over) break;
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > limit) throw new Error("It would never happen");
      this.#timers.delete(next);
      this.#time = Math.max(this.#time, next.at);
      next.fire();
    }
    return promise;
  }

  /** Lets everything happen that takes no time. */
  async settle(): Promise<void> {
    do {
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const task of tasks) task();
      await macrotask();
    } while (this.#tasks.length > 0);
  }
}

/** A stream with both its ends in memory. */
class CutStream implements ByteStream {
  readonly #io: CuttingIo;
  readonly #handler: StreamHandler;
  readonly #cut: Cut | undefined;
  readonly #traffic: { "to-server": number; "to-client": number };
  #link: DriverLink | undefined;
  #over = false;

  constructor(
    io: CuttingIo,
    driver: BrokerDriver,
    handler: StreamHandler,
    cut: Cut | undefined,
    traffic: { "to-server": number; "to-client": number },
  ) {
    this.#io = io;
    this.#handler = handler;
    this.#cut = cut;
    this.#traffic = traffic;
    io.post(() => {
      if (this.#over) return;
      this.#link = driver.attach({
        write: (chunks) => {
          for (const chunk of chunks) io.post(() => this.#carry("to-client", chunk.slice()));
          return true;
        },
        pause: () => {},
        resume: () => {},
        end: () => io.post(() => this.#end()),
        abort: () => io.post(() => this.#end()),
      });
      handler.opened();
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    for (const chunk of chunks) this.#io.post(() => this.#carry("to-server", chunk));
    return true;
  }

  pause(): void {}

  resume(): void {}

  end(): void {
    this.#io.post(() => this.#end());
  }

  abort(): void {
    this.#io.post(() => this.#end());
  }

  #carry(direction: "to-server" | "to-client", chunk: Uint8Array): void {
    if (this.#over) return;
    const left = this.#cut?.direction === direction ? this.#cut.after - this.#traffic[direction] : Infinity;
    const passed = chunk.subarray(0, Math.min(chunk.length, left));
    this.#traffic[direction] += passed.length;
    if (passed.length > 0) {
      if (direction === "to-server") this.#link?.received(passed);
      else this.#handler.received(passed);
    }
    if (left <= chunk.length) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#link?.closed();
    this.#handler.closed();
  }
}
