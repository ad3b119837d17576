/** A channel as the broker sees it: consumers, unsettled deliveries, confirms or a transaction, and the verbs on them. */

import {
  type Arguments,
  type EncodedProperties,
  type ServerMethodName,
  UsageError,
  writeAck,
  writeContent,
  writeDeliver,
  writeMethod,
  writeNack,
} from "@leveret/core/wire";
import { Refusal, replyCodes } from "../failures.ts";
import type { Millis, Timer } from "../lib/timers.ts";
import type { Message } from "../message.ts";
import type { QueueEntry } from "../queues/entry.ts";
import type { Queue, Return } from "../queues/queue.ts";
import { Confirms } from "./confirms.ts";
import type { Consumer } from "./consumer.ts";
import { ContentAssembler } from "./content-assembler.ts";
import type { ChannelOwner } from "./owner.ts";
import type { ReplyConsumer } from "./direct-reply.ts";
import type { Transaction } from "./transaction.ts";
import { type Delivery, UnsettledDeliveries } from "./unsettled.ts";

/** How a channel publishes. The two modes exclude each other. */
export type PublishMode =
  | { readonly kind: "plain" }
  | { readonly kind: "confirm"; readonly confirms: Confirms }
  | { readonly kind: "transaction"; readonly transaction: Transaction };

/** What becomes of a settled delivery. */
export type Settlement = "ack" | "discard" | Return;

/** A channel of a connection. */
export class Channel {
  readonly number: number;
  readonly owner: ChannelOwner;
  readonly content: ContentAssembler;
  readonly consumers: Map<string, Consumer> = new Map();
  readonly unsettled: UnsettledDeliveries = new UnsettledDeliveries();
  mode: PublishMode = { kind: "plain" };
  /** We sent `channel.close`, and wait for its answer; whatever else comes is swallowed. */
  isClosing = false;
  /** The queue that an empty name stands for. */
  lastQueue: string | undefined;
  /** The limit of consumers that start from now on; 0 for none. */
  prefetch = 0;
  /** The consumer of `amq.rabbitmq.reply-to`. */
  replyConsumer: ReplyConsumer | undefined;
  #sharedPrefetch = 0;
  /** Unsettled deliveries of all consumers; what was fetched with `basic.get` does not count. */
  #consumersUnsettled = 0;
  #nextDeliveryTag = 1;
  /** When the oldest delivery has been unsettled for too long. */
  readonly #patience: Timer;

  constructor(number: number, owner: ChannelOwner) {
    this.number = number;
    this.owner = owner;
    this.#patience = owner.services.timers.create((now) => this.#checkPatience(now));
    this.content = new ContentAssembler(owner.virtualHost.profile, owner.services.maxMessageSize);
  }

  get acceptsDeliveries(): boolean {
    return this.owner.acceptsDeliveries;
  }

  get hasSharedCredit(): boolean {
    return this.#sharedPrefetch === 0 || this.#consumersUnsettled < this.#sharedPrefetch;
  }

  get sharedPrefetch(): number {
    return this.#sharedPrefetch;
  }

  /** The limit that all consumers share; 0 for none. */
  set sharedPrefetch(limit: number) {
    this.#sharedPrefetch = limit;
    this.giveCredit();
  }

  send<M extends ServerMethodName>(name: M, fields: Arguments<M>): void {
    writeMethod(this.owner.output(), this.number, name, fields, this.owner.frameMax);
  }

  /** Sends a delivery to a consumer. */
  deliver(consumer: Consumer, entry: QueueEntry): void {
    const { queue } = consumer;
    const deliveryTag = this.#nextDeliveryTag++;
    if (consumer.noAck) {
      queue.consumed(entry);
    } else {
      queue.delivered(entry);
      this.#remember({ tag: deliveryTag, queue, entry, consumer, deliveredAt: this.owner.services.now() });
      consumer.unsettled += 1;
      this.#consumersUnsettled += 1;
    }
    const { message, redelivered } = entry;
    this.#writeDelivery(consumer.tag, deliveryTag, redelivered, message, queue.propertiesOf(entry, false));
  }

  /** Sends a reply to a consumer of `amq.rabbitmq.reply-to`. To a client that leaves too much unread it is lost. */
  deliverReply(consumerTag: string, message: Message): void {
    if (!this.owner.acceptsReplies) return;
    this.#writeDelivery(consumerTag, this.#nextDeliveryTag++, false, message, message.properties.encoded);
  }

  /** Answers `basic.get` with a message. */
  deliverFetched(queue: Queue, entry: QueueEntry, noAck: boolean): void {
    const deliveryTag = this.#nextDeliveryTag++;
    if (noAck) {
      queue.consumed(entry);
    } else {
      queue.delivered(entry);
      this.#remember({ tag: deliveryTag, queue, entry, consumer: undefined, deliveredAt: this.owner.services.now() });
    }
    const { message, redelivered } = entry;
    const { exchange, routingKey } = message;
    const { messageCount } = queue;
    try {
      this.send("basic.get-ok", { deliveryTag, redelivered, exchange, routingKey, messageCount });
      this.#writeContent(queue.propertiesOf(entry, true), message.body);
    } catch (error) {
      this.#cannotBeSent(error);
    }
  }

  /** Hands a mandatory message back that no queue took. */
  returnMessage(message: Message): void {
    const { exchange, routingKey } = message;
    try {
      this.send("basic.return", { replyCode: replyCodes.NO_ROUTE, replyText: "NO_ROUTE", exchange, routingKey });
      this.#writeContent(message.properties.encoded, message.body);
    } catch (error) {
      this.#cannotBeSent(error);
    }
  }

  /** Applies settlements to queues, and gives the consumers their credit back. */
  settle(deliveries: readonly Delivery[], settlement: Settlement): void {
    for (const { queue, entry, consumer } of deliveries) {
      if (consumer !== undefined) {
        consumer.unsettled -= 1;
        this.#consumersUnsettled -= 1;
      }
      if (settlement === "ack") queue.acknowledge(entry);
      else if (settlement === "discard") queue.discard(entry);
      else queue.putBack(entry, settlement);
      if (consumer !== undefined && this.#sharedPrefetch === 0) consumer.queue.creditFor(consumer);
    }
    if (this.#sharedPrefetch > 0) this.giveCredit();
  }

  /** Credit may have come back: queues that passed over a consumer of this channel try again. */
  giveCredit(): void {
    for (const consumer of this.consumers.values()) consumer.queue.creditFor(consumer);
  }

  /** A queue with a consumer of ours is gone. */
  consumerLost(consumer: Consumer): void {
    if (this.consumers.get(consumer.tag) !== consumer) return;
    this.consumers.delete(consumer.tag);
    if (!this.isClosing && this.owner.isToldOfCancels) {
      this.send("basic.cancel", { consumerTag: consumer.tag, noWait: true });
    }
  }

  /** The end of a turn: answers that were put off to be put together. */
  endTurn(): void {
    if (this.isClosing) return;
    if (this.mode.kind === "transaction") this.mode.transaction.endTurn();
    if (this.mode.kind !== "confirm") return;
    for (const { outcome, sequence, multiple } of this.mode.confirms.takeAnswers()) {
      if (outcome === "ack") writeAck(this.owner.output(), this.number, sequence, multiple);
      // RabbitMQ leaves requeue at its default, true. It means nothing.
      else writeNack(this.owner.output(), this.number, sequence, multiple, true);
    }
  }

  /** Lets go of everything: consumers end, unsettled deliveries go back in line. */
  release(): void {
    const consumers = [...this.consumers.values()];
    this.consumers.clear();
    if (this.replyConsumer !== undefined) this.owner.services.replies.remove(this.replyConsumer.key);
    this.replyConsumer = undefined;
    if (this.mode.kind === "confirm") this.mode.confirms.end();
    if (this.mode.kind === "transaction") this.mode.transaction.rollBack();
    this.mode = { kind: "plain" };
    this.#patience.off();
    // Messages go back before consumers go: an auto-delete queue ends with its last consumer, and so do they.
    this.settle(this.unsettled.takeAll(), "abandoned");
    for (const consumer of consumers) consumer.queue.removeConsumer(consumer);
  }

  #remember(delivery: Delivery): void {
    this.unsettled.add(delivery);
    if (this.#patience.due === undefined)
      this.#patience.set(delivery.deliveredAt + this.owner.services.consumerTimeout);
  }

  /** A client that leaves a delivery unsettled holds up its queue. */
  #checkPatience(now: Millis): void {
    const { consumerTimeout } = this.owner.services;
    for (const { deliveredAt, consumer, queue } of this.unsettled) {
      const due = deliveredAt + consumerTimeout;
      if (due > now) return this.#patience.set(due);
      if (this.owner.virtualHost.profile.consumerTimeout === "channel-close") {
        const explanation =
          `delivery acknowledgement on channel ${this.number} timed out. Timeout value used: ${consumerTimeout} ms. ` +
          "This timeout value can be configured, see consumers doc guide to learn more";
        return this.owner.failChannel(this, new Refusal("PRECONDITION_FAILED", explanation));
      }
      if (queue.type === "quorum" && consumer !== undefined) this.#cancelForTimeout(consumer);
    }
  }

  /** The consumer ends, and what it had not settled goes to others. */
  #cancelForTimeout(consumer: Consumer): void {
    if (this.consumers.get(consumer.tag) !== consumer) return;
    this.consumerLost(consumer);
    const own = [...this.unsettled].filter((delivery) => delivery.consumer === consumer);
    this.settle(
      own.flatMap(({ tag }) => this.unsettled.take(tag, false)),
      "abandoned",
    );
    consumer.queue.removeConsumer(consumer);
  }

  #writeDelivery(
    consumerTag: string,
    deliveryTag: number,
    redelivered: boolean,
    { exchange, routingKey, body }: Message,
    properties: EncodedProperties,
  ): void {
    const delivery = { consumerTag, deliveryTag, redelivered, exchange, routingKey, properties, body };
    try {
      writeDeliver(this.owner.output(), this.number, delivery, this.owner.frameMax);
    } catch (error) {
      this.#cannotBeSent(error);
    }
  }

  #writeContent(properties: EncodedProperties, body: Uint8Array): void {
    writeContent(this.owner.output(), this.number, properties, body, this.owner.frameMax);
  }

  /**
   * Ends the connection of a client that cannot be sent a message. A publisher with larger frames sent headers that fit none
   * of this client's, or the broker has added to them; a dead letter may have a key that fits no method.
   */
  #cannotBeSent(error: unknown): void {
    if (!(error instanceof UsageError)) throw error;
    this.owner.fail(new Refusal("INTERNAL_ERROR", `a message cannot be sent: ${error.message}`));
  }
}
