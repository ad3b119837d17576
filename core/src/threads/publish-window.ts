/** Publishes on their way to the other thread: so many at a time, later ones wait in the order of their calls. */

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

/** Something that waits for its turn. */
export interface Turn {
  /** What it takes of the window: nothing for what is no publish. */
  bytes: number;
  /** `undefined` when it has come, or nobody wants it any more. */
  go: (() => void) | undefined;
}

export class PublishWindow {
  readonly #waiting = new Deque<Turn>();
  #waitingBytes = 0;
  #waitingPublishes = 0;
  /** Turns that were given up, and keep their place. */
  #givenUp = 0;
  #inFlight = 0;
  #bytes = 0;

  /** Publishes that wait, here or there. */
  get count(): number {
    return this.#inFlight + this.#waitingPublishes;
  }

  /**
   * Calls `go` when there is room for a publish: now, or in its turn, which is returned. Whatever is called from there
   * leaves in the order of these calls. {@link leave} is due when the publish is answered.
   *
   * @throws UsageError LIMIT_REACHED when too much waits already.
   */
  enter(bodySize: number, go: () => void): Turn | undefined {
    const bytes = bodySize + overhead;
    if (this.#waiting.size === 0 && this.#hasRoom) {
      this.#count(bytes);
      go();
      return undefined;
    }
    if (this.#waitingBytes + bytes > maxWaitingBytes) {
      throw new UsageError(
        "LIMIT_REACHED",
        `${this.#waitingBytes} bytes wait to be published from this thread already`,
      );
    }
    this.#waitingBytes += bytes;
    this.#waitingPublishes += 1;
    const turn: Turn = { bytes, go };
    this.#waiting.push(turn);
    return turn;
  }

  /** Calls `go` behind the publishes that wait: now, where there are none. What is returned ends the wait, if there is one still. */
  behind(go: () => void): () => boolean {
    const turn: Turn = { bytes: 0, go };
    if (this.#waiting.size === 0) {
      turn.go = undefined;
      go();
    } else {
      this.#waiting.push(turn);
    }
    return () => {
      if (turn.go === undefined) return false;
      this.#forget(turn);
      return true;
    };
  }

  #forget(turn: Turn): void {
    turn.go = undefined;
    this.#givenUp += 1;
    if (this.#givenUp <= this.#waiting.size / 2) return;
    this.#givenUp = 0;
    for (const one of this.#waiting.drain()) {
      if (one.go === undefined) this.#waitingBytes -= one.bytes;
      else this.#waiting.push(one);
    }
  }

  /** Gives up a turn of a publish, which goes on counting a little until then. Returns false when it has come already. */
  giveUp(turn: Turn): boolean {
    if (turn.go === undefined) return false;
    this.#waitingBytes -= turn.bytes - overhead;
    this.#waitingPublishes -= 1;
    turn.bytes = overhead;
    this.#forget(turn);
    return true;
  }

  /** A publish was answered, or never sent. */
  leave(bodySize: number): void {
    this.#inFlight -= 1;
    this.#bytes -= bodySize + overhead;
    while (this.#hasRoom) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.bytes;
      const { go } = next;
      if (go === undefined) {
        this.#givenUp -= 1;
        continue;
      }
      next.go = undefined;
      if (next.bytes > 0) {
        this.#waitingPublishes -= 1;
        this.#count(next.bytes);
      }
      go();
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
