/**
 * What waits for the application: events in the order in which they arrived, and timers. Nothing of it is called but in
 * the calls that are there for it, one at a time.
 */

import type { Millis } from "../engine/config.ts";
import { Deque } from "../engine/deque.ts";
import { UsageError } from "../wire/errors.ts";

/** Events that may wait, deliveries included; those are bounded by their consumers' windows as well. */
const maxEvents = 65_536;

/** Timers that may be set at a time. */
const maxTimers = 65_536;

interface Timer {
  readonly due: Millis;
  readonly callback: () => unknown;
}

export class Dispatcher {
  readonly #now: () => Millis;
  #events = new Deque<() => void>();
  readonly #timers = new Set<Timer>();
  #isDispatching = false;

  constructor(now: () => Millis) {
    this.#now = now;
  }

  /** Whether a callback of the application runs. */
  get isDispatching(): boolean {
    return this.#isDispatching;
  }

  get size(): number {
    return this.#events.size;
  }

  /** @throws UsageError LIMIT_REACHED when so much waits that the application has to look at it first. */
  requireRoom(): void {
    if (this.#events.size >= maxEvents) {
      throw new UsageError("LIMIT_REACHED", `${maxEvents} events wait: call processDataEvents`);
    }
  }

  push(event: () => void): void {
    this.#events.push(event);
  }

  /** Calls `callback` when a dispatching call finds that `delay` has passed; the returned function cancels it. */
  callLater(delay: Millis, callback: () => unknown): () => void {
    if (typeof delay !== "number" || !(delay >= 0)) {
      throw new UsageError("INVALID_ARGUMENT", `delay is a number of milliseconds, not ${String(delay)}`);
    }
    if (typeof callback !== "function") throw new UsageError("INVALID_ARGUMENT", "The callback is not a function");
    if (this.#timers.size >= maxTimers) throw new UsageError("LIMIT_REACHED", `${maxTimers} timers are set already`);
    const timer: Timer = { due: this.#now() + delay, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** When the next timer is due. */
  get nextTimer(): Millis {
    let next = Infinity;
    for (const { due } of this.#timers) next = Math.min(next, due);
    return next;
  }

  /** Forgets everything. */
  clear(): void {
    this.#events.drain();
    this.#timers.clear();
  }

  /**
   * Calls what waits: timers that are due, then the events that were there, in order. What a callback throws ends it,
   * and the rest waits for the next time.
   *
   * @returns how many callbacks were called.
   * @throws UsageError ILLEGAL_STATE inside a callback.
   */
  dispatch(): number {
    this.requireOutside("Nothing can be dispatched");
    this.#isDispatching = true;
    let called = 0;
    try {
      called += this.#fireTimers();
      for (let left = this.#events.size; left > 0; left -= 1) {
        const event = this.#events.shift();
        if (event === undefined) break;
        called += 1;
        event();
      }
    } finally {
      this.#isDispatching = false;
    }
    return called;
  }

  /** @throws UsageError ILLEGAL_STATE inside a callback: it would wait for what cannot come. */
  requireOutside(what: string): void {
    if (this.#isDispatching) throw new UsageError("ILLEGAL_STATE", `${what} inside a callback`);
  }

  #fireTimers(): number {
    const now = this.#now();
    const due = [...this.#timers].filter((timer) => timer.due <= now).sort((a, b) => a.due - b.due);
    let fired = 0;
    for (const timer of due) {
      // A callback before it may have cancelled it.
      if (!this.#timers.delete(timer)) continue;
      fired += 1;
      timer.callback();
    }
    return fired;
  }
}
