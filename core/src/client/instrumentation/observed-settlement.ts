/** Deliveries whose settling is told to hooks. */

import type { ChannelEngine } from "../../engine/channel-engine.ts";
import type { Delivery } from "../delivery.ts";
import type { Reception, Settled } from "./hooks.ts";
import type { Link } from "../link.ts";
import { Settlement } from "../settlement.ts";
import type { Transactions } from "../transactions.ts";

/** What the application was given, and where. */
interface Remembered {
  readonly delivery: Delivery;
  readonly reception: Reception;
}

/** It remembers what the application has, as long as that is outstanding. */
export class ObservedSettlement extends Settlement {
  readonly #settled: (settled: Settled) => void;
  /** By the server's tag, in the order in which the application was given them. */
  readonly #remembered = new Map<number, Remembered>();

  constructor(
    engine: ChannelEngine,
    link: Link,
    offset: number,
    transactions: Transactions | undefined,
    settled: (settled: Settled) => void,
  ) {
    super(engine, link, offset, transactions);
    this.#settled = settled;
  }

  remember(delivery: Delivery, reception: Reception): void {
    this.#remembered.set(delivery.deliveryTag - this.offset, { delivery, reception });
  }

  override ack(tag: number): void {
    super.ack(tag);
    this.#tell(tag, "ack", false);
  }

  override ackUpTo(tag: number): void {
    super.ackUpTo(tag);
    this.#tellUpTo(tag, "ack", false);
  }

  override refuse(tag: number, requeue: boolean, method: "nack" | "reject"): void {
    super.refuse(tag, requeue, method);
    if (!this.isOutstanding(tag)) this.#tell(tag, method, requeue);
  }

  override nackUpTo(tag: number, requeue: boolean): void {
    super.nackUpTo(tag, requeue);
    this.#tellUpTo(tag, "nack", requeue);
  }

  override forgetAll(): void {
    super.forgetAll();
    this.#remembered.clear();
  }

  #tellUpTo(tag: number, action: Settled["action"], requeue: boolean): void {
    for (const one of [...this.#remembered.keys()]) {
      if ((tag === 0 || one <= tag) && !this.isOutstanding(one)) this.#tell(one, action, requeue);
    }
  }

  #tell(tag: number, action: Settled["action"], requeue: boolean): void {
    const remembered = this.#remembered.get(tag);
    if (remembered === undefined) return;
    this.#remembered.delete(tag);
    const { delivery, reception } = remembered;
    const { connection, channel, queue, consumerTag } = reception;
    this.#settled({ connection, channel, queue, consumerTag, delivery, action, requeue });
  }
}
