/** Publisher confirms: which publishes of a channel are settled. */

import { ProtocolError } from "../wire/errors.ts";
import type { SettledEvent } from "./events.ts";
import { LazyMap } from "./lazy-map.ts";

/** How the server settled a publish. */
export type ConfirmOutcome = SettledEvent["outcome"];

/** Is told of the publishes `first` to `last`, inclusive: each is settled for the first time. */
export type SettledListener = (first: number, last: number, outcome: ConfirmOutcome) => void;

/**
 * The confirm sequence of one channel.
 *
 * The server settles in any order, with `multiple` on acks and nacks alike; such a range means only what was still
 * outstanding. So the state is the highest number that was settled, and those below it that were not: one that is never
 * settled, such as a publish to a queue without a majority, keeps none of those behind it.
 */
export class Confirms {
  #highest = 0;
  /** The outstanding numbers below the highest settled one. */
  readonly #passedOver = new LazyMap<number, true>();
  /** Up to where all is settled. It follows with ranges only, and so each passes a number once. */
  #settledUpTo = 0;
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
    return this.#next - 1 - this.#highest + this.#passedOver.size;
  }

  /** Numbers one publish. */
  published(): number {
    return this.#next++;
  }

  /**
   * Takes a `basic.ack` or `basic.nack` of the server. Numbers that were settled before are ignored.
   *
   * @throws ProtocolError COMMAND_INVALID when the tag was never given to a publish.
   */
  settle(deliveryTag: number, multiple: boolean, outcome: ConfirmOutcome): void {
    if (deliveryTag >= this.#next || (deliveryTag === 0 && !multiple)) {
      throw new ProtocolError(
        "COMMAND_INVALID",
        `The server confirmed publish ${deliveryTag}, which it was never sent`,
      );
    }
    // Tag 0 stands for everything that is outstanding.
    if (multiple) return this.#settleRange(deliveryTag === 0 ? this.#next - 1 : deliveryTag, outcome);
    if (deliveryTag > this.#highest) this.#passOver(deliveryTag);
    else if (!this.#passedOver.delete(deliveryTag)) return;
    this.#settled(deliveryTag, deliveryTag, outcome);
  }

  #settleRange(last: number, outcome: ConfirmOutcome): void {
    if (this.#passedOver.size === 0) this.#settledUpTo = this.#highest;
    let first = this.#settledUpTo + 1;
    for (let number = first; number <= this.#highest && number <= last; number += 1) {
      if (this.#passedOver.delete(number)) continue;
      if (first < number) this.#settled(first, number - 1, outcome);
      first = number + 1;
    }
    if (first <= last) this.#settled(first, last, outcome);
    if (last > this.#settledUpTo) this.#settledUpTo = last;
    if (last > this.#highest) this.#highest = last;
  }

  #passOver(sequence: number): void {
    while (++this.#highest < sequence) this.#passedOver.set(this.#highest, true);
  }
}
