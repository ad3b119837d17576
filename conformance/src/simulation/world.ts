/** The clock of a simulation: what happens next, happens at once. */

import { Heap } from "../broker/lib/heap.ts";

/** Milliseconds of the virtual clock. */
export type Millis = number;

interface Happening {
  readonly at: Millis;
  /** Happenings of the same time keep their order. */
  readonly order: number;
  readonly task: () => void;
  cancelled: boolean;
}

/** Virtual time, and all that is to happen in it. */
export class World {
  readonly #happenings = new Heap<Happening>((happening) => happening.at + happening.order * tiny);
  #now: Millis = 0;
  #nextOrder = 0;

  get now(): Millis {
    return this.#now;
  }

  /** Has `task` run at that time, or now when it is past. The returned function cancels it. */
  at(time: Millis, task: () => void): () => void {
    const happening: Happening = {
      at: Math.max(this.#now, Math.ceil(time)),
      order: this.#nextOrder,
      task,
      cancelled: false,
    };
    this.#nextOrder += 1;
    this.#happenings.push(happening);
    return () => {
      happening.cancelled = true;
    };
  }

  /** Has `task` run after that time. */
  after(delay: Millis, task: () => void): () => void {
    return this.at(this.#now + delay, task);
  }

  /** Lets everything happen up to that time. */
  runUntil(time: Millis): void {
    while (this.step(time));
    this.#now = Math.max(this.#now, time);
  }

  /** Lets the next thing happen, unless it is later than `until`. Returns false when nothing happened. */
  step(until: Millis = Infinity): boolean {
    for (;;) {
      const next = this.#happenings.peek();
      if (next === undefined || next.at > until) return false;
      this.#happenings.take();
      if (next.cancelled) continue;
      this.#now = Math.max(this.#now, next.at);
      next.task();
      return true;
    }
  }
}

/** Orders happenings of one time by the order in which they were asked for: times are whole milliseconds, and a run has far less than a million of them. */
const tiny = 1e-6;
