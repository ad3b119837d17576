/** Whom a conversation is held with: the embedded broker in this process, or a real one on a port. */

import { connect } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { Broker } from "../broker.ts";
import { BrokerDriver, type DriverClock } from "../driver.ts";
import type { BrokerOptions } from "../options.ts";

/** A stream of bytes to a broker. */
export interface Pipe {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface PipeListener {
  received(bytes: Uint8Array): void;
  ended(): void;
}

/** A broker to talk to. */
export interface Peer {
  connect(listener: PipeListener): Promise<Pipe>;
  /** Lets time pass. */
  wait(milliseconds: number): Promise<void>;
  /** How long silence has to last before nothing more is expected. */
  readonly quiet: number;
}

/** A clock that a test moves. */
export class ManualClock implements DriverClock {
  #now = 1_700_000_000_000;
  #timers: { readonly due: number; readonly fire: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  setTimer(delay: number, fire: () => void): () => void {
    const timer = { due: this.#now + delay, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on, and fires what becomes due on the way. */
  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.reduce<{ due: number; fire: () => void } | undefined>(
        (earliest, timer) => (earliest === undefined || timer.due < earliest.due ? timer : earliest),
        undefined,
      );
      if (next === undefined || next.due > end) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.due);
      next.fire();
    }
    this.#now = end;
  }
}

/** The embedded broker. Everything happens at once; time passes when a conversation waits. */
export class EmbeddedPeer implements Peer {
  readonly quiet = 0;
  readonly broker: Broker;
  readonly clock: ManualClock = new ManualClock();
  readonly #driver: BrokerDriver;
  readonly #chunkSize: number;

  /** @param link - `chunkSize`: the most bytes that reach the broker in one piece. */
  constructor(options: BrokerOptions = {}, link: { readonly chunkSize?: number } = {}) {
    this.#chunkSize = link.chunkSize ?? Number.POSITIVE_INFINITY;
    this.broker = new Broker(options);
    this.#driver = new BrokerDriver(this.broker, this.clock);
  }

  connect(listener: PipeListener): Promise<Pipe> {
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      listener.ended();
    };
    const link = this.#driver.attach({
      write: (chunks) => {
        for (const chunk of chunks) listener.received(chunk);
        return true;
      },
      pause: () => {},
      resume: () => {},
      end,
      abort: end,
    });
    return Promise.resolve({
      send: (bytes) => {
        for (let start = 0; start < bytes.length && !isOver; start += this.#chunkSize) {
          link.received(bytes.slice(start, start + this.#chunkSize));
        }
      },
      close: () => {
        if (isOver) return;
        isOver = true;
        link.closed();
      },
    });
  }

  wait(milliseconds: number): Promise<void> {
    this.clock.pass(milliseconds);
    return Promise.resolve();
  }

  /** Sends what an order to the broker has brought about. */
  flush(): void {
    this.#driver.pump();
  }
}

/** Turns of the loop in which a broker of this process reads, answers, and is read. */
const turnsOfAnAnswer = 4;

/** A broker on a TCP port of this machine. */
export class TcpPeer implements Peer {
  readonly quiet: number;
  readonly #port: number;

  /** @param quiet - Milliseconds of silence after which nothing more is expected. */
  constructor(port: number, quiet = 50) {
    this.#port = port;
    this.quiet = quiet;
  }

  async connect(listener: PipeListener): Promise<Pipe> {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    socket.on("data", (chunk) => listener.received(chunk));
    socket.on("close", () => listener.ended());
    return {
      send: (bytes) => void socket.write(bytes),
      close: () => void socket.destroy(),
    };
  }

  async wait(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
    // Where this process had no time meanwhile, its timers come first: what had arrived until then is read now.
    for (let turn = 0; turn < turnsOfAnAnswer; turn += 1) await nextTurn();
  }
}
