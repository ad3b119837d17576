/** A message that was received, and what its receiver can do with it. */

import type { DeliverEvent, GetOkEvent } from "../engine/events.ts";
import { type BasicProperties, EncodedProperties } from "../wire/properties.ts";
import { copyOf } from "../wire/bytes.ts";
import { AmqpError, UsageError } from "../wire/errors.ts";
import { SettlementError } from "./errors.ts";
import type { SettleResult, Settlement } from "./settlement.ts";

/** Whether nobody has settled a delivery, while its channel is just ending. */
export let isUnsettled: (delivery: Delivery) => boolean;

/** A message from a queue. It is to be settled once: acknowledged, or refused. With `noAck` it is settled already. */
export class Delivery {
  static {
    isUnsettled = (delivery) => delivery.#settlement?.isUnsettled(delivery.#event.deliveryTag) ?? false;
  }

  readonly #event: DeliverEvent | GetOkEvent;
  /** `undefined` for a delivery that the server considers settled. */
  readonly #settlement: Settlement | undefined;
  readonly #offset: number;

  constructor(event: DeliverEvent | GetOkEvent, settlement: Settlement, noAck: boolean) {
    this.#event = event;
    this.#settlement = noAck ? undefined : settlement;
    this.#offset = settlement.offset;
  }

  /** The body; it belongs to the receiver. */
  get body(): Uint8Array {
    return this.#event.content.body;
  }

  /**
   * The properties, decoded at the first access.
   *
   * @throws ProtocolError SYNTAX_ERROR when they do not parse.
   */
  get properties(): BasicProperties {
    return this.#event.content.properties;
  }

  /** The properties as they were received: publish these to forward a message unchanged. */
  get encodedProperties(): EncodedProperties {
    return new EncodedProperties(this.#event.content.encodedProperties);
  }

  /** The exchange that the message was published to; empty for the default exchange. */
  get exchange(): string {
    return this.#event.exchange;
  }

  /** The routing key that the message was published with. */
  get routingKey(): string {
    return this.#event.routingKey;
  }

  /** Whether the message may have been delivered before. */
  get redelivered(): boolean {
    return this.#event.redelivered;
  }

  /**
   * The number of this delivery, which means something on its channel only. It is the server's number, plus the highest
   * number of the times before where the channel was recovered: no number is used twice.
   */
  get deliveryTag(): number {
    return this.#event.deliveryTag + this.#offset;
  }

  /** The number of the channel that the message came on. */
  get channel(): number {
    return this.#event.channel;
  }

  /** Whether the delivery can still be settled. False as well when its channel is closing or gone: the server takes the message back. */
  get outstanding(): boolean {
    return this.#settlement?.isOutstanding(this.#event.deliveryTag) ?? false;
  }

  /**
   * Acknowledges the message: the server forgets it. With `multiple`, all outstanding deliveries of the channel up to
   * this one.
   *
   * @returns `"stale"` when the connection was lost and recovered meanwhile, or when the channel is closing: the server
   * delivers the message again.
   * @throws SettlementError ALREADY_SETTLED, or STALE_DELIVERY on a channel that is closed; UsageError for other options, in
   * the first 64 settlements of a channel that have any. Nothing was sent then.
   */
  ack(options?: { readonly multiple?: boolean | undefined }): SettleResult {
    return this.#open().acknowledge(this.#event.deliveryTag, options);
  }

  /**
   * Refuses the message: it goes back to its queue, or with `requeue: false` to the dead-letter exchange of the queue,
   * or nowhere. With `multiple`, all outstanding deliveries of the channel up to this one.
   *
   * @returns as {@link ack}.
   * @throws as {@link ack}.
   */
  nack(options?: { readonly requeue?: boolean | undefined; readonly multiple?: boolean | undefined }): SettleResult {
    return this.#open().decline(this.#event.deliveryTag, options);
  }

  /**
   * As {@link nack} for one message, with AMQP's own method. RabbitMQ 4.3 and newer count a rejection towards the
   * delivery limit of a quorum queue, and a nack not.
   *
   * @returns as {@link ack}.
   * @throws as {@link ack}.
   */
  reject(options?: { readonly requeue?: boolean | undefined }): SettleResult {
    return this.#open().decline(this.#event.deliveryTag, options, "reject");
  }

  #open(): Settlement {
    if (this.#settlement === undefined) throw new SettlementError("ALREADY_SETTLED", this.deliveryTag);
    return this.#settlement;
  }
}

/** Hands back a message that nobody takes any more. */
export function giveBack(delivery: Delivery): void {
  if (!delivery.outstanding) return;
  try {
    delivery.nack();
  } catch (error) {
    // The transaction that it would belong to was lost. The message goes back when the channel closes.
    if (!(error instanceof AmqpError)) throw error;
  }
}

/** A message that `basicGet` took from a queue. */
export class GotMessage extends Delivery {
  /** How many messages were ready in the queue after this one. */
  readonly messageCount: number;

  constructor(event: GetOkEvent, settlement: Settlement, noAck: boolean) {
    super(event, settlement, noAck);
    this.messageCount = event.messageCount;
  }
}

/** A message that the server sent to a consumer. */
export class ConsumerDelivery extends Delivery {
  readonly consumerTag: string;

  constructor(event: DeliverEvent, settlement: Settlement, noAck: boolean) {
    super(event, settlement, noAck);
    this.consumerTag = event.consumerTag;
  }
}

/**
 * A delivery whose body is lent: it is good for the length of the handler's call, and until then it is where it arrived.
 */
export class LentDelivery extends ConsumerDelivery {
  #body: Uint8Array | undefined;

  constructor(event: DeliverEvent, settlement: Settlement, noAck: boolean) {
    super(event, settlement, noAck);
    this.#body = event.content.body;
  }

  /** @throws UsageError ILLEGAL_STATE when the handler has returned, or waited for something. */
  override get body(): Uint8Array {
    if (this.#body !== undefined) return this.#body;
    throw new UsageError("ILLEGAL_STATE", "The body was lent for the length of the handler's call (lendBody)");
  }

  /** It has to wait for its handler: it gets a body of its own until then. */
  keep(): void {
    this.#body = copyOf(this.body, 0, this.body.length);
  }

  /** Its handler's call is over. */
  handled(): void {
    this.#body = undefined;
  }
}
