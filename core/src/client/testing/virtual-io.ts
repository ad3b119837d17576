/** I/O services in a test's hands: time is a number, tasks run when the test lets them, and streams end in memory. */

import { setImmediate as macrotask } from "node:timers/promises";
import type { Millis } from "../../engine/config.ts";
import type { ByteStream, Endpoint, IoServices, StreamHandler, TransportError } from "../io-services.ts";
import { joined } from "../../wire/bytes.ts";

interface Timer {
  readonly at: Millis;
  readonly fire: () => void;
}

export class VirtualIo implements IoServices {
  readonly runtime = "virtual";
  readonly capabilities = { tcp: true, tls: true, unix: true, websocket: true, pause: "exact" } as const;
  readonly streams: VirtualStream[] = [];
  /** Called soon after each connect; by default the stream opens. */
  accept: (stream: VirtualStream) => void = (stream) => stream.open();
  #time: Millis = 1000;
  #tasks: (() => void)[] = [];
  #timers: Timer[] = [];

  now(): Millis {
    return this.#time;
  }

  random(): number {
    return 0.5;
  }

  post(task: () => void): void {
    this.#tasks.push(task);
  }

  setTimer(delay: Millis, fire: () => void): () => void {
    const timer = { at: this.#time + delay, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  connect(endpoint: Endpoint, handler: StreamHandler): ByteStream {
    const stream = new VirtualStream(this, endpoint, handler);
    this.streams.push(stream);
    this.post(() => {
      if (!stream.over) this.accept(stream);
    });
    return stream;
  }

  /** Streams that are neither closed nor dropped. */
  get openStreams(): number {
    return this.streams.filter((stream) => !stream.over).length;
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Lets everything happen that can happen without time passing. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; quiet += 1) {
      await macrotask();
      const tasks = this.#tasks;
      this.#tasks = [];
      if (tasks.length > 0) quiet = -1;
      for (const task of tasks) task();
    }
  }

  /** Time passes; timers fire when they are due. */
  async advance(time: Millis): Promise<void> {
    const target = this.#time + time;
    await this.settle();
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= target).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#time = Math.max(this.#time, due.at);
      due.fire();
      await this.settle();
    }
    this.#time = target;
  }
}

/** A stream whose other end is the test. */
export class VirtualStream implements ByteStream {
  readonly endpoint: Endpoint;
  readonly #io: VirtualIo;
  readonly #handler: StreamHandler;
  /** Takes what the client writes. */
  written: (bytes: Uint8Array) => void = () => {};
  /** Calls of `write`. */
  writes = 0;
  /** While true, `write` answers false. */
  #congested = false;
  #owesWritable = false;
  paused = false;
  /** The client ended its side. */
  ended = false;
  /** And said that the peer has nothing more to say. */
  answered = false;
  aborted = false;
  over = false;
  /** Chunks that the client was given. */
  handedOver = 0;
  /** Whether the peer ends its side as soon as the client does. */
  answersEnd = true;
  #incoming: (() => void)[] = [];

  constructor(io: VirtualIo, endpoint: Endpoint, handler: StreamHandler) {
    this.#io = io;
    this.endpoint = endpoint;
    this.#handler = handler;
  }

  // The client's side

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.ended || this.aborted || this.over) return true;
    this.writes += 1;
    const bytes = joined(chunks);
    this.#io.post(() => this.written(bytes));
    if (this.#congested) this.#owesWritable = true;
    return !this.#congested;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#io.post(() => this.#flow());
  }

  end(answered = false): void {
    this.ended = true;
    this.answered = answered;
    if (this.answersEnd) this.hangUp();
  }

  abort(): void {
    if (this.over) return;
    this.aborted = true;
    this.#io.post(() => this.#close(undefined));
  }

  // The test's side

  open(): void {
    this.#handler.opened();
  }

  /** Bytes for the client; it sees them in turns of their own. */
  send(bytes: Uint8Array): void {
    this.#incoming.push(() => {
      this.handedOver += 1;
      this.#handler.received(bytes.slice());
    });
    this.#io.post(() => this.#flow());
  }

  /** The peer ends, in an orderly way or with a cause. */
  hangUp(cause?: TransportError): void {
    this.#incoming.push(() => this.#close(cause));
    this.#io.post(() => this.#flow());
  }

  set congested(congested: boolean) {
    this.#congested = congested;
    if (congested || !this.#owesWritable) return;
    this.#owesWritable = false;
    this.#io.post(() => {
      if (!this.over) this.#handler.writable();
    });
  }

  #flow(): void {
    while (!this.paused && !this.over && !this.aborted) {
      const next = this.#incoming.shift();
      if (next === undefined) return;
      next();
    }
  }

  #close(cause: TransportError | undefined): void {
    if (this.over) return;
    this.over = true;
    this.#handler.closed(cause);
  }
}
