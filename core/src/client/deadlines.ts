/** Many deadlines, one timer. */

import type { Millis } from "../engine/config.ts";
import { Future } from "./futures.ts";
import type { IoServices } from "./io-services.ts";
import { patience } from "./option-checks.ts";

/**
 * How long whoever closes a channel or a consumer waits for the server, which answers nothing while it blocks the
 * connection. The call is under way all the same.
 */
export const closePatience: Millis = 5_000;

/** Something that has a deadline. */
export interface Expiring {
  /** The deadline has passed. */
  expire(): void;
}

/** A deadline that runs. */
export class Deadline {
  readonly at: Millis;
  /** `undefined` once it is over. */
  expiring: Expiring | undefined;
  readonly #among: Deadlines;

  constructor(at: Millis, expiring: Expiring, among: Deadlines) {
    this.at = at;
    this.expiring = expiring;
    this.#among = among;
  }

  /** It does not count any more. May be called twice, and when it is over. */
  cancel(): void {
    if (this.expiring === undefined) return;
    this.expiring = undefined;
    this.#among.cancelled();
  }
}

/**
 * Deadlines in order of time. Most calls of an application have the same timeout, so a new deadline is mostly the last
 * one, and finding its place costs nothing. The place of another one is looked for by halves.
 */
export class Deadlines {
  readonly #io: IoServices;
  #entries: Deadline[] = [];
  #live = 0;
  #cancelTimer: (() => void) | undefined;
  #timerAt: Millis = Infinity;
  #ending = false;

  constructor(io: IoServices) {
    this.#io = io;
  }

  get now(): Millis {
    return this.#io.now();
  }

  /**
   * Calls `expiring.expire` after `delay`, unless the deadline that is returned is cancelled.
   *
   * @throws UsageError INVALID_ARGUMENT for what is no number.
   */
  start(delay: Millis, expiring: Expiring): Deadline {
    // Behind one that is no number nothing would be due any more.
    patience(delay, "timeout");
    const deadline = new Deadline(this.#io.now() + delay, expiring, this);
    const last = this.#entries.at(-1);
    if (last === undefined || last.at <= deadline.at) this.#entries.push(deadline);
    else this.#entries.splice(this.#placeBehind(deadline.at), 0, deadline);
    this.#live += 1;
    this.#arm();
    return deadline;
  }

  /** Where the first entry is that is due later. */
  #placeBehind(at: Millis): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Deadline).at > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** What a promise comes to, or `undefined` after `delay`. */
  within<T>(promise: Promise<T>, delay: Millis = closePatience): Promise<T | undefined> {
    const late = new Future<undefined>();
    const deadline = this.start(delay, { expire: () => late.resolve(undefined) });
    return Promise.race([promise, late.promise]).finally(() => deadline.cancel());
  }

  /**
   * One of them was cancelled; it says so itself. Those that were are dropped when they are the majority, so that their
   * number stays within that of the others.
   */
  cancelled(): void {
    this.#live -= 1;
    if (this.#ending && this.#live === 0) this.#disarm();
    if (this.#live <= this.#entries.length / 2)
      this.#entries = this.#entries.filter(({ expiring }) => expiring !== undefined);
  }

  /**
   * Nothing new is expected: the timer ends with the last deadline that somebody still waits for, such as the time that
   * handlers have to come to their end.
   */
  end(): void {
    this.#ending = true;
    if (this.#live === 0) this.#disarm();
  }

  #arm(): void {
    const first = this.#entries[0];
    if (first === undefined || first.at >= this.#timerAt) return;
    this.#disarm();
    this.#timerAt = first.at;
    this.#cancelTimer = this.#io.setTimer(Math.max(0, first.at - this.#io.now()), () => this.#fire());
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
  }

  #fire(): void {
    this.#timerAt = Infinity;
    const now = this.#io.now();
    let due = 0;
    while (due < this.#entries.length && (this.#entries[due] as Deadline).at <= now) due += 1;
    for (const entry of this.#entries.splice(0, due)) {
      const { expiring } = entry;
      if (expiring === undefined) continue;
      entry.expiring = undefined;
      this.#live -= 1;
      expiring.expire();
    }
    this.#arm();
  }
}
