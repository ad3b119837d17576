/** Messages of a consumer that is iterated over, told to hooks as somebody gets them. */

import type { Deadlines } from "./deadlines.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import { DeliveryQueue } from "./delivery-queue.ts";
import type { Subscription } from "./subscription.ts";

export class ObservedQueue extends DeliveryQueue {
  readonly #taken: (delivery: ConsumerDelivery) => void;

  constructor(subscription: Subscription, deadlines: Deadlines, taken: (delivery: ConsumerDelivery) => void) {
    super(subscription, deadlines);
    this.#taken = taken;
  }

  override take(delivery: ConsumerDelivery): void {
    this.#taken(delivery);
    super.take(delivery);
  }

  override takeNow(): ConsumerDelivery | undefined {
    const delivery = super.takeNow();
    if (delivery !== undefined) this.#taken(delivery);
    return delivery;
  }
}
