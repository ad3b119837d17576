/** The deliveries of one channel that the application was given, and what settling them means for the book. */

import {
  type Channel,
  type Consumer,
  type Delivery,
  SettlementError,
  type SettleResult,
  TransactionError,
} from "@leveret/core/client";
import { invariant } from "../violation.ts";
import type { HeldCopy } from "./message-book.ts";
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

/** What is settled in one turn, at most. */
const largestBurst = 5;
/** How much is settled by number, where the application has the channel: numbers go on across recoveries. */
const byNumberShare = 0.3;

export class DeliveryLog {
  readonly #session: Session;
  /** The channel, where the application has it. */
  readonly #channel: Channel | undefined;
  readonly #consumers: Consumer[] = [];
  /** What a handler has returned or thrown for, in automatic settlement. */
  readonly #handled = new Set<Delivery>();
  /** All numbers that deliveries ever had, in all lives of the channel. */
  readonly #tags = new Set<number>();
  /** The numbers of the channels on which deliveries came. */
  readonly #channels = new Set<number>();
  /** Messages of what is outstanding, and of some that is not. */
  readonly #copies = new Map<Delivery, HeldCopy>();
  /** Deliveries that wait for the application to settle them. */
  readonly #held = new Set<Delivery>();
  /**
   * Consumers that the channel ever had, and one more when messages were got as well. With several, a tag may be lower
   * than one that was handed out, and wait in a buffer: then nobody settles several at a time.
   */
  sources = 0;
  /** Between `basic.recover` and its answer nothing is settled: the tags are void. */
  recovering = false;

  /** Whether what is settled here waits for a commit. */
  inTransactions = false;

  constructor(session: Session, channel?: Channel) {
    this.#session = session;
    this.#channel = channel;
    session.logs.add(this);
  }

  /** A consumer that has acknowledgements to give, in its own time. */
  addConsumer(consumer: Consumer): void {
    this.#consumers.push(consumer);
  }

  /** How many deliveries the server may wait for: those that were handed out and not settled, and those in buffers. */
  get outstanding(): number {
    const handedOut = [...this.#copies.keys()].filter(({ outstanding }) => outstanding).length;
    return this.#consumers.reduce((count, { buffered }) => count + buffered, handedOut);
  }

  /** Whether the channel lives, and nothing happened to its connection: what was sent on it has arrived. */
  get isIntact(): boolean {
    if (this.#session.disturbed || this.inTransactions) return false;
    // A consumer's own channel is opened again, and what was on its way to the last one is lost.
    if ([...this.#channels].some((number) => this.#session.closedChannels.has(number))) return false;
    if (this.#channel !== undefined) return this.#channel.state === "open";
    return this.#consumers.every(({ state }) => state === "consuming");
  }

  /** Its handler came to an end, which settles it. */
  handled(delivery: Delivery): void {
    if (!delivery.outstanding) return;
    this.#handled.add(delivery);
  }

  /** At rest: the client has settled what it was to settle. */
  checkAtRest(): void {
    if (this.#session.wasLate || this.inTransactions) return;
    for (const { deliveryTag, outstanding } of this.#handled) {
      invariant(!outstanding, "what was handled is settled", () => `tag ${deliveryTag}`);
    }
  }

  /** A delivery was handed out. */
  add(delivery: Delivery, copy: HeldCopy): void {
    const { deliveryTag } = delivery;
    invariant(!this.#tags.has(deliveryTag), "a delivery tag is used once", () => `tag ${deliveryTag}`);
    this.#tags.add(deliveryTag);
    this.#channels.add(delivery.channel);
    // What was settled is of no interest any more, unless a rollback may undo it.
    for (const other of this.inTransactions ? [] : this.#copies.keys()) {
      if (!other.outstanding) this.#copies.delete(other);
    }
    this.#copies.set(delivery, copy);
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
    const copy = this.#copies.get(delivery);
    if (copy !== undefined) this.#session.surroundings.book.ledger.mayBeGone(copy.id, copy.queue);
  }

  /** Settles a few deliveries in one turn. */
  settleSome(): void {
    const { random } = this.#session;
    for (let left = random.int(1, largestBurst); left > 0; left -= 1) {
      const delivery = random.pick(this.held);
      if (delivery !== undefined) this.settle(delivery, random.pick(settleWays));
    }
  }

  /** Settles a delivery in one of the ways. What cannot be settled any more says so, and nothing else happens. */
  settle(delivery: Delivery, way: SettleWay): void {
    this.#held.delete(delivery);
    const multiple = way.endsWith("-multiple") && this.sources <= 1;
    const { outstanding, deliveryTag } = delivery;
    const own = this.#copies.get(delivery);
    const isClosing = this.#channel?.state === "closing";
    const taken = own === undefined || !outstanding ? [] : [own];
    if (way.startsWith("ack") || way.startsWith("drop")) {
      this.mayBeGone(delivery);
      for (const [other, copy] of multiple ? this.#copies : []) {
        if (other.deliveryTag > deliveryTag) continue;
        // After a rollback the server has what was settled as unsettled: several at a time means that as well.
        if (other.outstanding || this.inTransactions) this.mayBeGone(other);
        if (other.outstanding) taken.push(copy);
      }
    }
    try {
      const channel = this.#session.random.chance(byNumberShare) ? this.#channel : undefined;
      const result =
        channel === undefined ? settleBy(way, delivery, multiple) : settleOn(channel, way, deliveryTag, multiple);
      invariant(
        outstanding || multiple || result === "stale",
        "what is settled cannot be settled again",
        () => `tag ${deliveryTag} of channel ${delivery.channel}, ${way}`,
      );
      invariant(
        !isClosing || result === "stale",
        "nothing is settled on a channel that is closing",
        () => `tag ${deliveryTag} of channel ${delivery.channel}, ${way}`,
      );
      invariant(!delivery.outstanding, "what was settled is settled", () => `tag ${deliveryTag}, ${way}`);
      if (!way.startsWith("ack") || result === "stale") return;
      for (const copy of taken) this.#session.surroundings.book.acknowledged(copy, this);
    } catch (error) {
      // The transaction was lost with its connection.
      if (error instanceof TransactionError) return;
      if (!(error instanceof SettlementError)) throw error;
      invariant(
        error.code !== "UNKNOWN_DELIVERY",
        "what was handed out is known, by its number too",
        () => `tag ${deliveryTag}: ${error.message}`,
      );
      invariant(!outstanding, "what is outstanding can be settled", () => `tag ${deliveryTag}: ${error.message}`);
    }
  }
}

function settleBy(way: SettleWay, delivery: Delivery, multiple: boolean): SettleResult {
  if (way.startsWith("ack")) return delivery.ack({ multiple });
  if (way === "reject") return delivery.reject();
  return delivery.nack({ multiple, requeue: way.startsWith("nack") });
}

function settleOn(channel: Channel, way: SettleWay, deliveryTag: number, multiple: boolean): SettleResult {
  if (way.startsWith("ack")) return channel.basicAck({ deliveryTag, multiple });
  if (way === "reject") return channel.basicReject({ deliveryTag });
  return channel.basicNack({ deliveryTag, multiple, requeue: way.startsWith("nack") });
}
