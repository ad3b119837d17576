/**
 * Deliveries that are lent to another thread: at most so many that its handlers have not taken yet, by count and by
 * bytes; and those that are outstanding there, which go back to their queue when that thread is gone.
 */

import type { ConsumerEnd } from "../client/consumer-options.ts";
import type { ConsumerDelivery, Delivery, GotMessage } from "../client/delivery.ts";
import { AmqpError } from "../wire/errors.ts";
import type { Outbox } from "./outbox.ts";
import { ownBytes } from "./pack.ts";
import { packError } from "./pack-errors.ts";
import type { DeliverItem, GotItem, HostItem, MessageFields, PackedEnd } from "./protocol.ts";

/** What a delivery counts beside its body. */
const deliveryOverhead = 256;

/** How much may be on its way to a thread, or wait there. */
export interface LendingWindow {
  readonly deliveries: number;
  readonly bytes: number;
}

/** What is on its way to the handlers of one consumer in another thread. */
export class Credit {
  readonly #window: LendingWindow;
  #deliveries = 0;
  #bytes = 0;

  constructor(window: LendingWindow) {
    this.#window = window;
  }

  /** Whether another delivery may go. One that is larger than the window goes alone. */
  get isOpen(): boolean {
    return this.#deliveries < this.#window.deliveries && this.#bytes < this.#window.bytes;
  }

  spend(bytes: number): void {
    this.#deliveries += 1;
    this.#bytes += bytes + deliveryOverhead;
  }

  regain(deliveries: number, bytes: number): void {
    this.#deliveries = Math.max(0, this.#deliveries - deliveries);
    this.#bytes = Math.max(0, this.#bytes - bytes - deliveries * deliveryOverhead);
  }
}

/** The deliveries of one lane. */
export class Lending {
  readonly #lane: number;
  readonly #outbox: Outbox<HostItem>;
  /** Outstanding ones by tag, in the order they came. */
  readonly #lent = new Map<number, Delivery>();

  constructor(lane: number, outbox: Outbox<HostItem>) {
    this.#lane = lane;
    this.#outbox = outbox;
  }

  /** How many are outstanding with the other thread. */
  get count(): number {
    return this.#lent.size;
  }

  deliver(delivery: ConsumerDelivery, consumer: number, noAck: boolean): void {
    const { consumerTag, body } = delivery;
    if (!noAck) this.#lent.set(delivery.deliveryTag, delivery);
    const fields = fieldsOf(delivery, noAck);
    const item: DeliverItem = { type: "deliver", lane: this.#lane, consumer, consumerTag, ...fields, body: 0 };
    this.#outbox.postWithBody(item, body, true);
  }

  got(message: GotMessage, id: number, noAck: boolean): void {
    const { messageCount, body } = message;
    if (!noAck) this.#lent.set(message.deliveryTag, message);
    const item: GotItem = { type: "got", lane: this.#lane, id, messageCount, ...fieldsOf(message, noAck), body: 0 };
    this.#outbox.postWithBody(item, body, true);
  }

  find(tag: number): Delivery | undefined {
    return this.#lent.get(tag);
  }

  /** A delivery is settled, or with `multiple` all up to it; with tag 0 all there are. */
  settled(tag: number, multiple: boolean): void {
    if (!multiple) this.#lent.delete(tag);
    else for (const lent of this.#lent.keys()) if (tag === 0 || lent <= tag) this.#lent.delete(lent);
  }

  /**
   * Forgets what cannot be settled any more, since the server was asked to take it back.
   *
   * @returns the highest tag of those; 0 where there are none. What comes later has higher ones.
   */
  forgetTakenBack(): number {
    let last = 0;
    for (const [tag, { outstanding }] of this.#lent) {
      if (outstanding) continue;
      this.#lent.delete(tag);
      last = Math.max(last, tag);
    }
    return last;
  }

  /** Nothing that was lent so far can be settled any more. */
  forget(): void {
    this.#lent.clear();
  }

  /** The other thread is gone: what is outstanding goes back to its queue. Returns how many did. */
  giveBack(): number {
    let count = 0;
    for (const delivery of this.#lent.values()) if (requeue(delivery)) count += 1;
    this.#lent.clear();
    return count;
  }
}

/** Gives one delivery back, if that can still be. */
export function requeue(delivery: Delivery): boolean {
  if (!delivery.outstanding) return false;
  try {
    delivery.nack();
    return true;
  } catch (error) {
    // The transaction that it would belong to was lost. The message goes back when the channel closes.
    if (!(error instanceof AmqpError)) throw error;
    return false;
  }
}

export function packEnd(end: ConsumerEnd): PackedEnd {
  return "error" in end ? { type: end.type, error: packError(end.error) } : { type: end.type };
}

function fieldsOf(delivery: Delivery, noAck: boolean): MessageFields {
  const { deliveryTag, exchange, routingKey, redelivered, channel, encodedProperties } = delivery;
  const properties = ownBytes(encodedProperties.bytes);
  return { tag: deliveryTag, exchange, routingKey, redelivered, channel, noAck, properties };
}
