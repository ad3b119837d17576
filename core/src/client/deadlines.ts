/** Many deadlines, one timer. */

import type { Millis } from "../engine/config.ts";
import type { IoServices } from "./io-services.ts";

/** Something that has a deadline. */
export interface Expiring {
  /** The deadline has passed. */
  expire(): void;
}

interface Entry {
  readonly at: Millis;
  /** `undefined` once it is cancelled. */
  expiring: Expiring | undefined;
}

/**
 * Deadlines in order of time. Most calls of an application have the same timeout, so a new deadline is mostly the last
 * one, and finding its place costs nothing.
 */
export class Deadlines {
  readonly #io: IoServices;
  #entries: Entry[] = [];
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

  /** Calls `expiring.expire` after `delay`; the returned function cancels that. */
  add(delay: Millis, expiring: Expiring): () => void {
    const entry: Entry = { at: this.#io.now() + delay, expiring };
    let place = this.#entries.length;
    while (place > 0 && (this.#entries[place - 1] as Entry).at > entry.at) place -= 1;
    this.#entries.splice(place, 0, entry);
    this.#live += 1;
    this.#arm();
    return () => {
      if (entry.expiring === undefined) return;
      entry.expiring = undefined;
      this.#live -= 1;
      if (this.#ending && this.#live === 0) this.#disarm();
      this.#dropCancelled();
    };
  }

  /**
   * Nothing new is expected: the timer ends with the last deadline that somebody still waits for, such as the time that
   * handlers have to come to their end.
   */
  end(): void {
    this.#ending = true;
    if (this.#live === 0) this.#disarm();
  }

  /** Cancelled entries are dropped when they are the majority, so their number stays within that of the others. */
  #dropCancelled(): void {
    if (this.#live > this.#entries.length / 2) return;
    this.#entries = this.#entries.filter((entry) => entry.expiring !== undefined);
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
    while (due < this.#entries.length && (this.#entries[due] as Entry).at <= now) due += 1;
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
