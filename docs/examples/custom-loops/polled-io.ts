/**
 * I/O services for a loop that the host drives: nothing of the client runs but inside of `poll()`, which a game calls once
 * a frame. The operating system's sockets go on meanwhile, by the services of a runtime; what they have to say waits.
 */

import { type ByteStream, type Endpoint, type IoServices, StreamGate, type StreamHandler } from "@leveret/core/client";

/** Bytes that wait for the next poll; with more than this, a stream is not read. */
const waitingLimit = 1024 * 1024;

interface Timer {
  readonly deadline: number;
  readonly fire: () => void;
}

/** A loop, and the I/O services on it. */
export class PolledLoop {
  readonly io: IoServices;
  readonly #runtime: IoServices;
  /** By deadline, the next one first. */
  readonly #timers: Timer[] = [];
  #tasks: (() => void)[] = [];

  /** @param runtime Whose sockets to use, such as `nodeIo()`. */
  constructor(runtime: IoServices) {
    this.#runtime = runtime;
    this.io = {
      runtime: runtime.runtime,
      capabilities: runtime.capabilities,
      now: () => runtime.now(),
      setTimer: (delay, fire) => this.#setTimer(delay, fire),
      random: () => runtime.random(),
      post: (task) => void this.#tasks.push(task),
      connect: (endpoint, handler) => new PolledStream(runtime, endpoint, handler, this.io.post),
    };
  }

  /**
   * Does what is to be done: timers that are due, tasks, and what has arrived. What that brings about is for the next
   * poll, so that one takes no longer than it must. Call it from the host's loop, not from within the client.
   */
  poll(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    let done = 0;
    try {
      const now = this.#runtime.now();
      while ((this.#timers[0]?.deadline ?? Infinity) <= now) this.#timers.shift()?.fire();
      while (done < tasks.length) tasks[done++]?.();
    } finally {
      // One that throws does not take the others with it: they are for the next poll.
      if (done < tasks.length) this.#tasks = [...tasks.slice(done), ...this.#tasks];
    }
  }

  /** When the next poll has something to do, at the latest: 0 for now, Infinity for not before something arrives. */
  untilNext(): number {
    if (this.#tasks.length > 0) return 0;
    return Math.max(0, (this.#timers[0]?.deadline ?? Infinity) - this.#runtime.now());
  }

  #setTimer(delay: number, fire: () => void): () => void {
    const timer = { deadline: this.#runtime.now() + Math.max(0, delay), fire };
    const later = this.#timers.findIndex(({ deadline }) => deadline > timer.deadline);
    this.#timers.splice(later < 0 ? this.#timers.length : later, 0, timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
    };
  }
}

/** A stream of the runtime, whose events wait for the poll. */
class PolledStream implements ByteStream {
  readonly #stream: ByteStream;
  readonly #gate: StreamGate;
  readonly #post: (task: () => void) => void;
  #waiting = 0;
  #paused = false;

  constructor(runtime: IoServices, endpoint: Endpoint, handler: StreamHandler, post: (task: () => void) => void) {
    this.#post = post;
    this.#gate = new StreamGate(handler, post, () => this.#stream.abort());
    this.#stream = runtime.connect(endpoint, {
      opened: () => post(() => this.#gate.opened()),
      received: (chunk) => this.#received(chunk),
      writable: () => post(() => this.#gate.writable()),
      closed: (cause) => post(() => this.#gate.closed(cause)),
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#stream.write(chunks);
  }

  pause(): void {
    this.#paused = true;
    this.#gate.pause();
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#gate.resume();
    if (this.#waiting <= waitingLimit) this.#stream.resume();
  }

  end(): void {
    this.#stream.end();
  }

  abort(): void {
    this.#gate.abort();
    this.#stream.abort();
  }

  /** The chunk is lent for this call, and told later. */
  #received(chunk: Uint8Array): void {
    const copy = chunk.slice();
    this.#waiting += copy.length;
    if (this.#waiting > waitingLimit) this.#stream.pause();
    this.#post(() => {
      this.#waiting -= copy.length;
      this.#gate.received(copy);
      if (!this.#paused && this.#waiting <= waitingLimit) this.#stream.resume();
    });
  }
}
