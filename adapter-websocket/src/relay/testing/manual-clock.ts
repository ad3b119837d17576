/** A clock that stands still until a test moves it. */

import type { Clock, Millis } from "../clock.ts";

export class ManualClock implements Clock {
  #now: Millis = 1_000;
  readonly #timers = new Set<{ readonly at: Millis; readonly fire: () => void }>();

  now(): Millis {
    return this.#now;
  }

  setTimer(delay: Millis, fire: () => void): () => void {
    const timer = { at: this.#now + delay, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are armed. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets `duration` pass; timers fire in order, also those that a timer sets. */
  advance(duration: Millis): void {
    const end = this.#now + duration;
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#timers.delete(due);
      this.#now = due.at;
      due.fire();
    }
    this.#now = end;
  }

  #next(end: Millis): { readonly at: Millis; readonly fire: () => void } | undefined {
    let next: { readonly at: Millis; readonly fire: () => void } | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    }
    return next;
  }
}
