/** Which channel numbers are taken. */

import { LazyMap } from "./lazy-map.ts";

/** The numbers 1 to `max`; the lowest free one is handed out. */
export class ChannelNumbers {
  readonly #max: number;
  readonly #taken = new LazyMap<number, true>();
  /** Every number below is taken. */
  #lowestCandidate = 1;

  constructor(max: number) {
    this.#max = max;
  }

  /** The number of channels in use. */
  get count(): number {
    return this.#taken.size;
  }

  /** The lowest free number, or `undefined` when there is none. */
  take(): number | undefined {
    while (this.#taken.has(this.#lowestCandidate)) this.#lowestCandidate += 1;
    if (this.#lowestCandidate > this.#max) return undefined;
    this.#taken.set(this.#lowestCandidate, true);
    return this.#lowestCandidate;
  }

  /** Takes a number that the caller chose; false when it is taken or out of range. */
  claim(number: number): boolean {
    if (!Number.isInteger(number) || number < 1 || number > this.#max || this.#taken.has(number)) return false;
    this.#taken.set(number, true);
    return true;
  }

  /** Gives a number back: both peers agree that its channel is closed. */
  release(number: number): void {
    this.#taken.delete(number);
    this.#lowestCandidate = Math.min(this.#lowestCandidate, number);
  }
}
