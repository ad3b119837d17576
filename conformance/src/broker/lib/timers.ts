/** Deadlines on the broker's logical clock: nothing here knows a real one. */

import { Heap } from "./heap.ts";

/** Milliseconds on the clock of whoever drives the broker: any origin, never backwards. */
export type Millis = number;

/**
 * One deadline of one owner, such as a queue's next expiry. It is made once and set as often as the owner likes: moving
 * it costs nothing until the old time has come.
 */
export class Timer {
  readonly #wheel: Timers;
  readonly #fire: (now: Millis) => void;
  /** When it is due; `undefined` while it is off. */
  #due: Millis | undefined;
  /** The earliest entry of this timer in the heap. */
  #queuedFor: Millis = Number.POSITIVE_INFINITY;

  constructor(wheel: Timers, fire: (now: Millis) => void) {
    this.#wheel = wheel;
    this.#fire = fire;
  }

  get due(): Millis | undefined {
    return this.#due;
  }

  set(due: Millis): void {
    this.#due = due;
    if (due >= this.#queuedFor) return;
    this.#queuedFor = due;
    this.#wheel.enqueue(this, due);
  }

  off(): void {
    this.#due = undefined;
  }

  /** An entry of the heap came to the front. Says when to ask again, or `undefined` when the entry is spent. */
  reached(entryTime: Millis, now: Millis): Millis | undefined {
    // A later entry of a timer that was moved forward, and back again.
    if (entryTime !== this.#queuedFor) return undefined;
    this.#queuedFor = Number.POSITIVE_INFINITY;
    if (this.#due === undefined) return undefined;
    if (this.#due > now) {
      this.#queuedFor = this.#due;
      return this.#due;
    }
    this.#due = undefined;
    this.#fire(now);
    return undefined;
  }

  /** True when the heap's entry for `entryTime` is the one that tells this timer's deadline. */
  isHonest(entryTime: Millis): boolean {
    return this.#due !== undefined && entryTime === this.#queuedFor && entryTime === this.#due;
  }
}

interface Entry {
  readonly at: Millis;
  readonly timer: Timer;
}

/** All timers of a broker. */
export class Timers {
  readonly #heap: Heap<Entry> = new Heap((entry) => entry.at);

  create(fire: (now: Millis) => void): Timer {
    return new Timer(this, fire);
  }

  enqueue(timer: Timer, at: Millis): void {
    this.#heap.push({ at, timer });
  }

  /** When the next timer is due. */
  next(): Millis | undefined {
    for (let entry = this.#heap.peek(); entry !== undefined; entry = this.#heap.peek()) {
      if (entry.timer.isHonest(entry.at)) return entry.at;
      this.#heap.take();
      // Nothing is due before its time: this only corrects the entry.
      const again = entry.timer.reached(entry.at, Number.NEGATIVE_INFINITY);
      if (again !== undefined) this.#heap.push({ at: again, timer: entry.timer });
    }
    return undefined;
  }

  /** Fires every timer that is due at `now`, earliest first; also those that firing ones set. */
  advance(now: Millis): void {
    for (let entry = this.#heap.peek(); entry !== undefined && entry.at <= now; entry = this.#heap.peek()) {
      this.#heap.take();
      const again = entry.timer.reached(entry.at, now);
      if (again !== undefined) this.#heap.push({ at: again, timer: entry.timer });
    }
  }
}
