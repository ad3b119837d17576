/** A rate limit: so many units a second, with a burst of one second's worth. */

import type { Clock, Millis } from "./clock.ts";

export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: Millis;

  /** @param perSecond 0: no limit. */
  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAt = clock.now();
  }

  /** Takes one unit if there is one. */
  tryTake(): boolean {
    if (this.#perSecond === 0) return true;
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes `units` in any case, and says how long to wait before the next. */
  take(units: number): Millis {
    if (this.#perSecond === 0) return 0;
    this.#fill();
    this.#tokens -= units;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#perSecond) * 1_000);
  }

  #fill(): void {
    const now = this.#clock.now();
    const added = ((now - this.#filledAt) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + added);
    this.#filledAt = now;
  }
}
