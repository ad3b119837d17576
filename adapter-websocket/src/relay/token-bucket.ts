/** A rate limit: so many units a second, or in another time, with a burst of as many. */

import type { Clock, Millis } from "./clock.ts";

export class TokenBucket {
  readonly #clock: Clock;
  readonly #units: number;
  readonly #period: Millis;
  /** What is left, in units times milliseconds: so whole milliseconds fill it without an error that adds up. */
  #level: number;
  #filledAt: Millis;

  /** @param units In each period; 0: no limit. */
  constructor(clock: Clock, units: number, period: Millis = 1_000) {
    this.#clock = clock;
    this.#units = units;
    this.#period = period;
    this.#level = units * period;
    this.#filledAt = clock.now();
  }

  /** Takes one unit if there is one. */
  tryTake(): boolean {
    if (this.#units === 0) return true;
    this.#fill();
    if (this.#level < this.#period) return false;
    this.#level -= this.#period;
    return true;
  }

  /** Takes `units` in any case, and says how long to wait before the next. */
  take(units: number): Millis {
    if (this.#units === 0) return 0;
    this.#fill();
    this.#level -= units * this.#period;
    return this.#level >= 0 ? 0 : Math.ceil(-this.#level / this.#units);
  }

  #fill(): void {
    const now = this.#clock.now();
    this.#level = Math.min(this.#units * this.#period, this.#level + (now - this.#filledAt) * this.#units);
    this.#filledAt = now;
  }
}
