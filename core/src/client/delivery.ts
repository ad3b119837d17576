/** A message that was received, and what its receiver can do with it. */

import type { DeliverEvent, GetOkEvent } from "../engine/events.ts";
import type { BasicProperties } from "../wire/properties.ts";
import { SettlementError } from "./errors.ts";
import type { Settlement } from "./settlement.ts";

/** A message from a queue. It is to be settled once: acknowledged, or refused. With `noAck` it is settled already. */
export class Delivery {
  readonly #event: DeliverEvent | GetOkEvent;
  /** `undefined` for a delivery that the server considers settled. */
  readonly #settlement: Settlement | undefined;

  constructor(event: DeliverEvent | GetOkEvent, settlement: Settlement | undefined) {
    this.#event = event;
    this.#settlement = settlement;
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

  /** The server's number for this delivery; it means something on its channel only. */
  get deliveryTag(): number {
    return this.#event.deliveryTag;
  }

  /** The number of the channel that the message came on. */
  get channel(): number {
    return this.#event.channel;
  }

  /** Whether the delivery can still be settled. False as well when its channel is gone: the server took the message back then. */
  get outstanding(): boolean {
    return this.#settlement?.isOutstanding(this.#event.deliveryTag) ?? false;
  }

  /**
   * Acknowledges the message: the server forgets it. With `multiple`, all outstanding deliveries of the channel up to
   * this one.
   *
   * @throws SettlementError ALREADY_SETTLED or STALE_DELIVERY; nothing was sent then.
   */
  ack({ multiple = false }: { readonly multiple?: boolean } = {}): void {
    if (multiple) this.#open().ackUpTo(this.#event.deliveryTag);
    else this.#open().ack(this.#event.deliveryTag);
  }

  /**
   * Refuses the message: it goes back to its queue, or with `requeue: false` to the dead-letter exchange of the queue,
   * or nowhere. With `multiple`, all outstanding deliveries of the channel up to this one.
   *
   * @throws SettlementError ALREADY_SETTLED or STALE_DELIVERY; nothing was sent then.
   */
  nack({ requeue = true, multiple = false }: { readonly requeue?: boolean; readonly multiple?: boolean } = {}): void {
    if (multiple) this.#open().nackUpTo(this.#event.deliveryTag, requeue);
    else this.#open().refuse(this.#event.deliveryTag, requeue, "nack");
  }

  /**
   * As {@link nack} for one message, with AMQP's own method. RabbitMQ 4.3 and newer count a rejection towards the
   * delivery limit of a quorum queue, and a nack not.
   *
   * @throws SettlementError ALREADY_SETTLED or STALE_DELIVERY; nothing was sent then.
   */
  reject({ requeue = true }: { readonly requeue?: boolean } = {}): void {
    this.#open().refuse(this.#event.deliveryTag, requeue, "reject");
  }

  #open(): Settlement {
    if (this.#settlement === undefined) throw new SettlementError("ALREADY_SETTLED", this.#event.deliveryTag);
    return this.#settlement;
  }
}

/** A message that `basicGet` took from a queue. */
export class GotMessage extends Delivery {
  /** How many messages were ready in the queue after this one. */
  readonly messageCount: number;

  constructor(event: GetOkEvent, settlement: Settlement | undefined) {
    super(event, settlement);
    this.messageCount = event.messageCount;
  }
}

/** A message that the server sent to a consumer. */
export class ConsumerDelivery extends Delivery {
  readonly consumerTag: string;

  constructor(event: DeliverEvent, settlement: Settlement | undefined) {
    super(event, settlement);
    this.consumerTag = event.consumerTag;
  }
}
