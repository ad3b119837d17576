/** Publishes on their way to the other thread: so many at a time, later ones wait in the order of their calls. */

import { Future } from "../client/futures.ts";
import { Deque } from "../engine/deque.ts";
import { UsageError } from "../wire/errors.ts";

/** Publishes that are not answered yet, at most. */
const maxInFlight = 1000;

/** Bytes of their bodies; one message may exceed it. */
const maxInFlightBytes = 16 * 1024 * 1024;

/** Bytes of bodies that may wait here. */
const maxWaitingBytes = 64 * 1024 * 1024;

/** What a publish counts beside its body. */
const overhead = 256;

interface Waiting {
  readonly bytes: number;
  readonly future: Future<void>;
}

export class PublishWindow {
  readonly #waiting = new Deque<Waiting>();
  #waitingBytes = 0;
  #inFlight = 0;
  #bytes = 0;

  /** Publishes that wait, here or there. */
  get count(): number {
    return this.#inFlight + this.#waiting.size;
  }

  /**
   * Asks for room. `undefined` when there is some now; else a promise of it.
   *
   * @throws UsageError LIMIT_REACHED when too much waits already.
   */
  enter(bodySize: number): Promise<void> | undefined {
    const bytes = bodySize + overhead;
    if (this.#waiting.size === 0 && this.#hasRoom) {
      this.#count(bytes);
      return undefined;
    }
    if (this.#waitingBytes + bytes > maxWaitingBytes) {
      throw new UsageError(
        "LIMIT_REACHED",
        `${this.#waitingBytes} bytes wait to be published from this thread already`,
      );
    }
    const future = new Future<void>();
    this.#waiting.push({ bytes, future });
    this.#waitingBytes += bytes;
    return future.promise;
  }

  /** A publish was answered, or never sent. */
  leave(bodySize: number): void {
    this.#inFlight -= 1;
    this.#bytes -= bodySize + overhead;
    while (this.#hasRoom) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.bytes;
      this.#count(next.bytes);
      next.future.resolve();
    }
  }

  get #hasRoom(): boolean {
    return this.#inFlight < maxInFlight && this.#bytes < maxInFlightBytes;
  }

  #count(bytes: number): void {
    this.#inFlight += 1;
    this.#bytes += bytes;
  }
}
