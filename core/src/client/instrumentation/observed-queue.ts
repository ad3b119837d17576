/** Messages of a consumer that is iterated over, told to hooks as somebody gets them, or does not. */

import type { Millis } from "../../engine/config.ts";
import type { Deadlines } from "../deadlines.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import { DeliveryQueue, type TakeOptions } from "../delivery-queue.ts";
import type { Subscription } from "../subscription.ts";

/** What becomes of somebody's asking for a message. */
export interface Asking {
  taken(delivery: ConsumerDelivery, waited: Millis): void;
  missed(waited: Millis, error: unknown): void;
}

export class ObservedQueue extends DeliveryQueue {
  readonly #now: () => Millis;
  readonly #asking: Asking;

  constructor(subscription: Subscription, deadlines: Deadlines, now: () => Millis, asking: Asking) {
    super(subscription, deadlines);
    this.#now = now;
    this.#asking = asking;
  }

  override takeNow(): ConsumerDelivery | undefined {
    const delivery = super.takeNow();
    if (delivery !== undefined) this.#asking.taken(delivery, 0);
    return delivery;
  }

  override async next(options: TakeOptions): Promise<ConsumerDelivery | undefined> {
    const since = this.#now();
    const here = options.signal?.aborted === true ? undefined : this.takeNow();
    if (here !== undefined) return here;
    let delivery: ConsumerDelivery | undefined;
    try {
      delivery = await super.next(options);
    } catch (error) {
      this.#asking.missed(this.#now() - since, error);
      throw error;
    }
    const waited = this.#now() - since;
    if (delivery !== undefined) this.#asking.taken(delivery, waited);
    else if (!this.over) this.#asking.missed(waited, undefined);
    return delivery;
  }
}
