/** Deliveries in a thread that has no connection: to be settled as in the thread that has it, with promises. */

import { SettlementError } from "../client/errors.ts";
import type { SettleResult } from "../client/settlement.ts";
import { UsageError } from "../wire/errors.ts";
import { LentMessage, type Outstanding } from "./lent-message.ts";
import type { PortGuest } from "./port-guest.ts";
import type { BodyItem, DeliverItem, GotItem, MessageFields, Verb } from "./protocol.ts";

/** The lane that a delivery came on. */
export interface DeliveryLane {
  readonly guest: PortGuest;
  readonly lane: number;
  readonly outstanding: Outstanding;
  /** Whether `multiple` means something there: not where other threads have deliveries of the same channel. */
  readonly allowsMultiple: boolean;
  /** Sends a settlement in its turn, where such things wait. */
  readonly inOrder?: (send: () => void) => void;
}

/** What settling can be told. */
export interface SettleOptions {
  readonly multiple?: boolean | undefined;
  readonly requeue?: boolean | undefined;
}

/** A message from a queue, in a worker. It is to be settled once. With `noAck` it is settled already. */
export class WorkerDelivery extends LentMessage {
  readonly #lane: DeliveryLane;

  /** @internal */
  constructor(item: MessageFields & BodyItem, lane: DeliveryLane) {
    super(item);
    this.#lane = lane;
    lane.outstanding.add(item.tag, item.noAck);
  }

  /** Whether the delivery can still be settled, as far as this thread knows. */
  get outstanding(): boolean {
    return this.#lane.outstanding.has(this.deliveryTag);
  }

  /**
   * Acknowledges the message, or with `multiple` all outstanding deliveries of the channel up to it.
   *
   * Nobody has to await the promise: what it rejects with is not reported a second time.
   *
   * @returns `"stale"` when the connection was lost and recovered meanwhile: the server delivers the message again.
   * @throws SettlementError ALREADY_SETTLED, at the call. The promise rejects with SettlementError STALE_DELIVERY on a
   * channel that is closed, and with ThreadError when the port is closed first.
   */
  ack({ multiple = false }: Pick<SettleOptions, "multiple"> = {}): Promise<SettleResult> {
    return this.#settle("ack", { multiple });
  }

  /**
   * Refuses the message: it goes back to its queue, or with `requeue: false` to the queue's dead-letter exchange.
   *
   * @returns as {@link ack}.
   * @throws as {@link ack}.
   */
  nack(options: SettleOptions = {}): Promise<SettleResult> {
    return this.#settle("nack", options);
  }

  /**
   * As {@link nack} for one message, with AMQP's own method.
   *
   * @returns as {@link ack}.
   * @throws as {@link ack}.
   */
  reject({ requeue = true }: Pick<SettleOptions, "requeue"> = {}): Promise<SettleResult> {
    return this.#settle("reject", { requeue });
  }

  #settle(verb: Verb, options: SettleOptions): Promise<SettleResult> {
    const { deliveryTag: tag } = this;
    if (!this.isNoAck && this.#lane.outstanding.isStale(tag)) return Promise.resolve("stale");
    if (!this.outstanding) throw new SettlementError("ALREADY_SETTLED", tag);
    if (options.multiple === true && !this.#lane.allowsMultiple) {
      throw new UsageError("NOT_SUPPORTED", "A delivery of a pool is settled alone: others have deliveries below it");
    }
    return sendSettlement(this.#lane, verb, tag, options);
  }
}

/** A message that the server sent to a consumer, in a worker. */
export class WorkerConsumerDelivery extends WorkerDelivery {
  readonly consumerTag: string;

  /** @internal */
  constructor(item: DeliverItem, lane: DeliveryLane) {
    super(item, lane);
    this.consumerTag = item.consumerTag;
  }
}

/** A message that `basicGet` took from a queue, in a worker. */
export class WorkerGotMessage extends WorkerDelivery {
  /** How many messages were ready in the queue after this one. */
  readonly messageCount: number;

  /** @internal */
  constructor(item: GotItem, lane: DeliveryLane) {
    super(item, lane);
    this.messageCount = item.messageCount;
  }
}

/** Settles by tag, whatever this thread knows of it. */
export function sendSettlement(
  { guest, lane, outstanding, inOrder = atOnce }: DeliveryLane,
  verb: Verb,
  tag: number,
  { multiple = false, requeue = true }: SettleOptions,
): Promise<SettleResult> {
  outstanding.settled(tag, multiple);
  const settling = guest.ask(
    (id) => inOrder(() => guest.outbox.post({ type: "settle", lane, id, verb, tag, multiple, requeue })),
    lane,
    { unlimited: true },
  );
  // Nobody has to wait for it. What the client refused to send, such as when too much output waits, can be tried again.
  settling.catch((error: unknown) => {
    if (error instanceof UsageError && !multiple) outstanding.add(tag, false);
  });
  return settling as Promise<SettleResult>;
}

function atOnce(send: () => void): void {
  send();
}
