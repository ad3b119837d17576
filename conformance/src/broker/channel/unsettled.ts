/** The deliveries of a channel that its client has not settled yet. */

import type { Millis } from "../lib/timers.ts";
import { Refusal } from "../failures.ts";
import type { QueueEntry } from "../queues/entry.ts";
import type { Queue } from "../queues/queue.ts";
import type { Consumer } from "./consumer.ts";

/** A message that was handed to the client for it to settle. */
export interface Delivery {
  readonly tag: number;
  readonly queue: Queue;
  readonly entry: QueueEntry;
  /** `undefined`: it was fetched with `basic.get`. */
  readonly consumer: Consumer | undefined;
  readonly deliveredAt: Millis;
}

/** Deliveries by tag, lowest first. */
export class UnsettledDeliveries {
  #deliveries = new Map<number, Delivery>();

  get size(): number {
    return this.#deliveries.size;
  }

  [Symbol.iterator](): IterableIterator<Delivery> {
    return this.#deliveries.values();
  }

  add(delivery: Delivery): void {
    this.#deliveries.set(delivery.tag, delivery);
  }

  /**
   * Takes the delivery that a tag names, or all up to it.
   *
   * @throws Refusal PRECONDITION_FAILED when the tag itself is not outstanding, also with `multiple`: only 0 means "all".
   */
  take(tag: number, multiple: boolean): readonly Delivery[] {
    if (multiple && tag === 0) return this.takeAll();
    const delivery = this.#deliveries.get(tag);
    if (delivery === undefined) throw new Refusal("PRECONDITION_FAILED", `unknown delivery tag ${tag}`);
    if (!multiple) {
      this.#deliveries.delete(tag);
      return [delivery];
    }
    const taken: Delivery[] = [];
    for (const candidate of this.#deliveries.values()) {
      if (candidate.tag > tag) break;
      taken.push(candidate);
    }
    for (const { tag: settled } of taken) this.#deliveries.delete(settled);
    return taken;
  }

  takeAll(): readonly Delivery[] {
    const taken = [...this.#deliveries.values()];
    this.#deliveries.clear();
    return taken;
  }

  /** Puts deliveries back that were taken, each at its place. */
  restore(deliveries: readonly Delivery[]): void {
    const all = [...this.#deliveries.values(), ...deliveries].sort((left, right) => left.tag - right.tag);
    this.#deliveries = new Map(all.map((delivery) => [delivery.tag, delivery]));
  }
}
