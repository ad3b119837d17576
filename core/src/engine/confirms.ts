/** Publisher confirms: which publishes of a channel are settled. */

import { ProtocolError } from "../wire/errors.ts";
import { LazyMap } from "./lazy-map.ts";

/** How the server settled a publish. */
export type Outcome = "ack" | "nack";

/** Is told of the publishes `first` to `last`, inclusive: each is settled for the first time. */
export type SettledListener = (first: number, last: number, outcome: Outcome) => void;

/**
 * The confirm sequence of one channel.
 *
 * The server settles in any order, with `multiple` on acks and nacks alike; such a range means only what was still
 * outstanding. So the state is a mark below which all is settled, and the numbers above it that were settled early.
 */
export class Confirms {
  /** Every number up to this one is settled. */
  #settledUpTo = 0;
  readonly #settledEarly = new LazyMap<number, true>();
  #next = 1;
  readonly #settled: SettledListener;

  constructor(settled: SettledListener) {
    this.#settled = settled;
  }

  /** The number that the next publish gets. */
  get next(): number {
    return this.#next;
  }

  /** How many publishes wait for their confirm. */
  get outstanding(): number {
    return this.#next - 1 - this.#settledUpTo - this.#settledEarly.size;
  }

  /** Numbers one publish. */
  published(): number {
    const sequence = this.#next;
    this.#next += 1;
    return sequence;
  }

  /**
   * Takes a `basic.ack` or `basic.nack` of the server. Numbers that were settled before are ignored.
   *
   * @throws ProtocolError COMMAND_INVALID when the tag was never given to a publish.
   */
  settle(deliveryTag: number, multiple: boolean, outcome: Outcome): void {
    if (deliveryTag >= this.#next || (deliveryTag === 0 && !multiple)) {
      throw new ProtocolError(
        "COMMAND_INVALID",
        `The server confirmed publish ${deliveryTag}, which it was never sent`,
      );
    }
    if (multiple) {
      // Tag 0 stands for everything that is outstanding.
      this.#settleRange(deliveryTag === 0 ? this.#next - 1 : deliveryTag, outcome);
    } else if (deliveryTag === this.#settledUpTo + 1) {
      this.#settledUpTo = deliveryTag;
      this.#settled(deliveryTag, deliveryTag, outcome);
    } else if (deliveryTag > this.#settledUpTo && !this.#settledEarly.has(deliveryTag)) {
      this.#settledEarly.set(deliveryTag, true);
      this.#settled(deliveryTag, deliveryTag, outcome);
    }
    while (this.#settledEarly.size > 0 && this.#settledEarly.delete(this.#settledUpTo + 1)) this.#settledUpTo += 1;
  }

  #settleRange(last: number, outcome: Outcome): void {
    let first = this.#settledUpTo + 1;
    if (this.#settledEarly.size > 0) {
      for (let number = first; number <= last; number += 1) {
        if (!this.#settledEarly.delete(number)) continue;
        if (first < number) this.#settled(first, number - 1, outcome);
        first = number + 1;
      }
    }
    if (first <= last) this.#settled(first, last, outcome);
    this.#settledUpTo = Math.max(this.#settledUpTo, last);
  }
}
