/** Which channel numbers are taken. */

/** The numbers 1 to `max`; the lowest free one is found. */
export class ChannelNumbers {
  readonly max: number;
  readonly #taken: readonly unknown[];
  /** Every number below is taken. */
  #lowestCandidate = 1;

  /** @param taken - `undefined` where a number is free; kept by the caller. */
  constructor(max: number, taken: readonly unknown[]) {
    this.max = max;
    this.#taken = taken;
  }

  /** The lowest free number, or `undefined` when there is none. */
  lowest(): number | undefined {
    while (this.#taken[this.#lowestCandidate] !== undefined) this.#lowestCandidate += 1;
    return this.#lowestCandidate > this.max ? undefined : this.#lowestCandidate;
  }

  /** Whether a number that the caller chose is free; false when it is out of range. */
  isFree(number: number): boolean {
    return Number.isInteger(number) && number >= 1 && number <= this.max && this.#taken[number] === undefined;
  }

  /** A number is free again: both peers agree that its channel is closed. */
  released(number: number): void {
    this.#lowestCandidate = Math.min(this.#lowestCandidate, number);
  }
}
