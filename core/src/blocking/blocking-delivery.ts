/** Messages in a thread that blocks. */

import { SettlementError } from "../client/errors.ts";
import type { SettleResult } from "../client/settlement.ts";
import { LentMessage } from "../threads/lent-message.ts";
import type { BodyItem, DeliverItem, GotItem, MessageFields, Verb } from "../threads/protocol.ts";

/** The channel of a delivery. */
export interface BlockingSettler {
  readonly isClosed: boolean;
  isOutstanding(tag: number): boolean;
  /** Whether the server delivers it again, since it was lost with its connection. */
  isStale(tag: number): boolean;
  settle(verb: Verb, tag: number, multiple: boolean, requeue: boolean): SettleResult;
}

/** A message from a queue. It is to be settled once. With `noAck` it is settled already. */
export class BlockingDelivery extends LentMessage {
  readonly #settler: BlockingSettler;

  /** @internal */
  constructor(item: MessageFields & BodyItem, settler: BlockingSettler) {
    super(item);
    this.#settler = settler;
  }

  /** Whether the delivery can still be settled, as far as this thread knows. */
  get outstanding(): boolean {
    return this.#settler.isOutstanding(this.deliveryTag);
  }

  /**
   * Acknowledges the message, or with `multiple` all outstanding deliveries of the channel up to it.
   *
   * @returns `"stale"` when the connection was lost and recovered meanwhile: the server delivers the message again.
   * @throws SettlementError ALREADY_SETTLED, or STALE_DELIVERY on a channel that is closed; nothing was sent then.
   */
  ack({ multiple = false }: { readonly multiple?: boolean | undefined } = {}): SettleResult {
    return this.#settle("ack", multiple, false);
  }

  /**
   * Refuses the message: it goes back to its queue, or with `requeue: false` to the queue's dead-letter exchange.
   *
   * @returns as {@link ack}.
   * @throws as {@link ack}.
   */
  nack({
    requeue = true,
    multiple = false,
  }: {
    readonly requeue?: boolean | undefined;
    readonly multiple?: boolean | undefined;
  } = {}): SettleResult {
    return this.#settle("nack", multiple, requeue);
  }

  /**
   * As {@link nack} for one message, with AMQP's own method.
   *
   * @returns as {@link ack}.
   * @throws as {@link ack}.
   */
  reject({ requeue = true }: { readonly requeue?: boolean | undefined } = {}): SettleResult {
    return this.#settle("reject", false, requeue);
  }

  #settle(verb: Verb, multiple: boolean, requeue: boolean): SettleResult {
    const { isClosed } = this.#settler;
    if (!isClosed && !this.isNoAck && this.#settler.isStale(this.deliveryTag)) return "stale";
    if (!isClosed && !this.outstanding) throw new SettlementError("ALREADY_SETTLED", this.deliveryTag);
    return this.#settler.settle(verb, this.deliveryTag, multiple, requeue);
  }
}

/** A message that the server sent to a consumer. */
export class BlockingConsumerDelivery extends BlockingDelivery {
  readonly consumerTag: string;

  /** @internal */
  constructor(item: DeliverItem, settler: BlockingSettler) {
    super(item, settler);
    this.consumerTag = item.consumerTag;
  }
}

/** A message that `basicGet` took from a queue. */
export class BlockingGotMessage extends BlockingDelivery {
  /** How many messages were ready in the queue after this one. */
  readonly messageCount: number;

  /** @internal */
  constructor(item: GotItem, settler: BlockingSettler) {
    super(item, settler);
    this.messageCount = item.messageCount;
  }
}
