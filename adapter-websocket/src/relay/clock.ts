/** Time, as the relay sees it; tests bring a clock of their own. */

/** A duration, or a point on a monotonic clock. */
export type Millis = number;

/** A monotonic clock with timers. */
export interface Clock {
  /** The time in milliseconds, from any beginning. */
  now(): Millis;
  /** Calls `fire` once after `delay`; the returned function cancels it, at any time and any number of times. */
  setTimer(delay: Millis, fire: () => void): () => void;
}

/** `setTimeout` fires at once when it is given more. */
const longestTimeout = 2 ** 31 - 1;

/** The clock of the process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(delay, fire) {
    let timer: NodeJS.Timeout;
    const arm = (left: Millis): void => {
      timer =
        left > longestTimeout ? setTimeout(() => arm(left - longestTimeout), longestTimeout) : setTimeout(fire, left);
    };
    arm(delay);
    return () => clearTimeout(timer);
  },
};

/** Starts a timer for a limit that may be turned off; the returned function cancels it. @param after 0: never. */
export function startTimeout(clock: Clock, after: Millis, fire: () => void): () => void {
  return after === 0 ? () => {} : clock.setTimer(after, fire);
}

/**
 * Fires when nothing has happened for a while.
 *
 * `touch` is called for every message, so it only notes the time; the timer looks at that note when it is due.
 */
export class QuietTimer {
  readonly #clock: Clock;
  readonly #after: Millis;
  readonly #fire: () => void;
  #last: Millis;
  #cancel: (() => void) | undefined;

  /** @param after 0: never. */
  constructor(clock: Clock, after: Millis, fire: () => void) {
    this.#clock = clock;
    this.#after = after;
    this.#fire = fire;
    this.#last = clock.now();
    if (after > 0) this.#arm(after);
  }

  /** Something happened. */
  touch(): void {
    this.#last = this.#clock.now();
  }

  /** Begins anew, also after it has fired. */
  restart(): void {
    this.stop();
    this.touch();
    if (this.#after > 0) this.#arm(this.#after);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(delay: Millis): void {
    this.#cancel = this.#clock.setTimer(delay, () => {
      const left = this.#last + this.#after - this.#clock.now();
      if (left > 0) return this.#arm(left);
      this.#cancel = undefined;
      this.#fire();
    });
  }
}
