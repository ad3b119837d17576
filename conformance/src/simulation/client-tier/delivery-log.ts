/** The deliveries of one channel that the application was given, and what settling them means for the book. */

import { type Delivery, SettlementError, type SettleResult, TransactionError, UsageError } from "@leveret/core/client";
import { invariant } from "../violation.ts";
import type { Session } from "./session.ts";

export type SettleWay = "ack" | "ack-multiple" | "nack" | "nack-multiple" | "drop" | "drop-multiple" | "reject";

export const settleWays: readonly [SettleWay, ...SettleWay[]] = [
  "ack",
  "ack",
  "ack",
  "ack-multiple",
  "nack",
  "nack-multiple",
  "drop",
  "drop-multiple",
  "reject",
];

export class DeliveryLog {
  readonly #session: Session;
  /** Message ids. Tags mean something as long as their channel lives: a recovered one begins anew. */
  readonly #ids = new Map<Delivery, number>();
  /** Deliveries that wait for the application to settle them. */
  readonly #held = new Set<Delivery>();
  /**
   * Consumers that the channel ever had, and one more when messages were got as well. With several, a tag may be lower
   * than one that was handed out, and wait in a buffer: then nobody settles several at a time.
   */
  sources = 0;
  /** Between `basic.recover` and its answer nothing is settled: the tags are void. */
  recovering = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** A delivery was handed out. */
  add(delivery: Delivery, id: number): void {
    const { deliveryTag, outstanding } = delivery;
    for (const other of this.#ids.keys()) {
      const isTwin = outstanding && other.outstanding && other.deliveryTag === deliveryTag;
      invariant(!isTwin, "a delivery tag is used once", () => `tag ${deliveryTag}`);
      // What was settled is of no interest any more.
      if (!other.outstanding) this.#ids.delete(other);
    }
    this.#ids.set(delivery, id);
  }

  /** The application settles it later. */
  hold(delivery: Delivery): void {
    this.#held.add(delivery);
  }

  get held(): readonly Delivery[] {
    return [...this.#held];
  }

  /** Somebody is about to have it dropped. */
  mayBeGone(delivery: Delivery): void {
    const id = this.#ids.get(delivery);
    if (id !== undefined) this.#session.surroundings.book.ledger.mayBeGone(id);
  }

  /** Settles a delivery in one of the ways. What cannot be settled any more says so, and nothing else happens. */
  settle(delivery: Delivery, way: SettleWay): void {
    this.#held.delete(delivery);
    const multiple = way.endsWith("-multiple") && this.sources <= 1;
    const { outstanding, deliveryTag } = delivery;
    if (way.startsWith("ack") || way.startsWith("drop")) {
      this.mayBeGone(delivery);
      const { ledger } = this.#session.surroundings.book;
      for (const [other, id] of multiple ? this.#ids : []) {
        if (other.outstanding && other.deliveryTag <= deliveryTag) ledger.mayBeGone(id);
      }
    }
    try {
      const result = settleBy(way, delivery, multiple);
      invariant(
        outstanding || multiple || result === "stale",
        "what is settled cannot be settled again",
        () => `tag ${deliveryTag} of channel ${delivery.channel}, ${way}`,
      );
      invariant(!delivery.outstanding, "what was settled is settled", () => `tag ${deliveryTag}, ${way}`);
    } catch (error) {
      // The transaction was lost with its connection.
      if (error instanceof TransactionError) return;
      // Too much output waits, or the channel is closing: the message goes back with the channel.
      if (error instanceof UsageError && error.code !== "INVALID_ARGUMENT") return;
      if (!(error instanceof SettlementError)) throw error;
      invariant(!outstanding, "what is outstanding can be settled", () => `tag ${deliveryTag}: ${error.message}`);
    }
  }
}

function settleBy(way: SettleWay, delivery: Delivery, multiple: boolean): SettleResult {
  if (way.startsWith("ack")) return delivery.ack({ multiple });
  if (way === "reject") return delivery.reject();
  return delivery.nack({ multiple, requeue: way.startsWith("nack") });
}
