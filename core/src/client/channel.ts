/** Channels, as an application uses them. */

import type { ChannelRequestName, Farewell } from "../engine/channel-engine.ts";
import type { Arguments } from "../wire/method-types.ts";
import { UsageError } from "../wire/errors.ts";
import type { ChannelCore, ReplyFields } from "./channel-core.ts";
import type { ChannelEvents, ChannelState } from "./channel-host.ts";
import type {
  BasicAckOptions,
  BasicCancelOptions,
  BasicGetOptions,
  BasicNackOptions,
  BasicPublishOptions,
  BasicQosOptions,
  BasicRejectOptions,
  CallerOptions,
  NoWaitOptions,
} from "./channel-options.ts";
import { checkConsumer, consumeWithHandler, consumeByIterating } from "./consuming.ts";
import type { Consumer, IterableConsumer } from "./consumer.ts";
import type { ConsumeOptions, DeliveryHandler, HandlerOptions } from "./consumer-options.ts";
import { giveBack, type GotMessage } from "./delivery.ts";
import { type EndError, endedWith, SettlementError } from "./errors.ts";
import { MessageNames, messageNames } from "./message-names.ts";
import { checkCall, type Names } from "./option-checks.ts";
import { checkProperties } from "./outgoing-properties.ts";
import type { SettleResult } from "./settlement.ts";
import { ChannelTopology } from "./channel-topology.ts";

/** The requests that have no method of their own where the client has to know of their effect. */
export type RawRequestName = Exclude<
  ChannelRequestName,
  | "basic.consume"
  | "basic.cancel"
  | "basic.get"
  | "basic.qos"
  | "basic.recover"
  | "tx.select"
  | "tx.commit"
  | "tx.rollback"
>;

const basicPublishNames: Names<BasicPublishOptions> = { ...messageNames, body: true };

/** @throws UsageError INVALID_ARGUMENT when it is not a channel, or one of another copy of this package. */
export let coreOf: (channel: Channel) => ChannelCore;

/**
 * A channel: AMQP's methods as calls, named and with fields named as in AMQP, in camelCase.
 *
 * The server takes the calls of a channel one after the other. When it refuses one it closes the channel: the call
 * rejects with `ChannelError`, calls behind it with the same error and the `outcome` `"not-sent"` or `"unknown"`.
 */
export class Channel extends ChannelTopology {
  static {
    coreOf = (channel) => {
      if (typeof channel === "object" && channel !== null && #core in channel) return channel.#core;
      throw new UsageError("INVALID_ARGUMENT", "channel is not a Channel");
    };
  }

  readonly #core: ChannelCore;
  readonly #names = new MessageNames(basicPublishNames);

  constructor(core: ChannelCore) {
    super(core);
    this.#core = core;
  }

  /** The channel's number, as the server's tools show it. */
  get number(): number {
    return this.#core.number;
  }

  /** Where the channel stands. */
  get state(): ChannelState {
    return this.#core.state;
  }

  /** How publishes are treated: as they come, with confirms, or in transactions. */
  get mode(): "plain" | "confirm" | "tx" {
    return this.#core.engine.mode;
  }

  /** Resolves when the channel is closed: with the reason, or with `undefined` when this client closed it. Never rejects. */
  get closed(): Promise<EndError | undefined> {
    return this.#core.closed;
  }

  /** The tags of the consumers of this channel. */
  get consumerTags(): readonly string[] {
    return this.#core.subscriptions.tags;
  }

  /** False while the server asks for a pause in publishing. Publishes wait until it ends. */
  get flowActive(): boolean {
    return this.#core.engine.flowActive;
  }

  /** Publishes that wait for their confirm. */
  get unconfirmed(): number {
    return this.#core.publishing.unconfirmed;
  }

  /**
   * Adds a listener; the returned function removes it. What a listener throws is reported as the connection's
   * `callback-error`.
   */
  on<Name extends keyof ChannelEvents>(name: Name, listener: (value: ChannelEvents[Name]) => unknown): () => void {
    return this.#core.listeners.on(name, listener);
  }

  // Publishing

  /**
   * Publishes a message.
   *
   * Without confirms the promise resolves when the message was handed over, which is at once unless output is
   * congested, or the server has blocked the connection: awaiting it is all the back-pressure there is to obey. In
   * confirm mode it resolves when the server has taken the message, and rejects with `NackError` when it has not, with
   * `UnroutableError` when the message was mandatory and no queue took it.
   *
   * A body of some KiB and more is not copied, and a mandatory message is compared with what comes back: leave it alone
   * until the promise settles.
   *
   * That options and properties have no other names is checked in the first 64 messages of a channel.
   *
   * @throws UsageError for what cannot be sent; LIMIT_REACHED when 64 MiB wait already. NotConnectedError when it may not
   * wait for a connection. TimeoutError and AbortError, with the outcome `"not-sent"` or `"unknown"`. ChannelError or ConnectionError when the channel ends.
   */
  basicPublish(message: BasicPublishOptions): Promise<void> {
    if (typeof message !== "object" || message === null) {
      return Promise.reject(new UsageError("INVALID_ARGUMENT", "basicPublish takes an object"));
    }
    try {
      this.#names.check(message);
      checkProperties(message.properties);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#core.publishing.publish(message, message);
  }

  /**
   * Turns on publisher confirms, for good. Publishes from this call on are confirmed: the server takes them in order.
   */
  async confirmSelect(options: NoWaitOptions = {}): Promise<void> {
    checkCall("confirm.select", options);
    const { noWait = false, signal } = options;
    if (noWait) await this.#core.tell("confirm.select", { noWait });
    else await this.#core.call("confirm.select", {}, signal);
  }

  // Consuming

  /**
   * Starts a consumer. With a handler: the handler is called with each message, and a message is acknowledged when it
   * returns. Without: the result is to be iterated over.
   *
   * @throws ChannelError 404 when there is no such queue, 403 when another consumer is exclusive; UsageError.
   */
  basicConsume(options: HandlerOptions, handler: DeliveryHandler): Promise<Consumer>;
  basicConsume(options: ConsumeOptions): Promise<IterableConsumer>;
  async basicConsume(options: HandlerOptions, handler?: DeliveryHandler): Promise<Consumer> {
    checkConsumer(options, handler);
    if (handler === undefined) return consumeByIterating(this.#core, options);
    return consumeWithHandler(this.#core, options, handler);
  }

  /**
   * Cancels a consumer of this channel: as `Consumer.cancel`.
   *
   * @returns how many messages went back to the queue; 0 when there is no such consumer.
   */
  async basicCancel(options: BasicCancelOptions): Promise<number> {
    checkCall("basic.cancel", options, {});
    const { consumerTag, noWait = false } = options;
    return (await this.#core.subscriptions.find(consumerTag)?.cancel(noWait)) ?? 0;
  }

  /** Limits how many unacknowledged messages consumers get. */
  async basicQos(options: BasicQosOptions): Promise<void> {
    checkCall("basic.qos", options);
    const { prefetchCount, prefetchSize = 0, global = false, signal } = options;
    if (prefetchSize !== 0) throw notSupported("basic.qos with a prefetchSize other than 0");
    if (!global) return this.#core.subscriptions.setPrefetch(prefetchCount, signal);
    await this.#core.call("basic.qos", { prefetchCount, prefetchSize, global }, signal);
    this.#core.memory.prefetchGlobal = prefetchCount;
  }

  /** Takes one message out of a queue; `undefined` when it is empty. To get more than one, consume. */
  async basicGet(options: BasicGetOptions): Promise<GotMessage | undefined> {
    checkCall("basic.get", options);
    const { queue, noAck = false, signal } = options;
    const asked = this.#core.ask(
      "basic.get",
      { queue, noAck },
      {
        signal,
        ofMessage: true,
        value: (answer) => this.#core.gotMessage(answer, noAck),
        errorOf: (end, outcome) => endedWith(end, outcome, noAck && outcome === "unknown"),
        undo: (message) => {
          if (message !== undefined) giveBack(message);
        },
      },
    );
    return this.#core.observer?.getting(this.#core, queue, asked) ?? asked;
  }

  /**
   * Acknowledges a delivery. Acknowledgements of one turn of the loop leave together, as one where that means the same.
   *
   * @returns `"stale"` when the delivery was lost with a connection: nothing was sent, and the server delivers it again.
   * @throws SettlementError when the delivery is settled, unknown, or from a channel that is gone; UsageError for other
   * options, in the first 64 settlements of the channel. Nothing was sent then.
   */
  basicAck(options: BasicAckOptions): SettleResult {
    return this.#core.settlement.acknowledge(this.#wireTag(options), options);
  }

  /**
   * Refuses a delivery, or with `multiple` all up to it.
   *
   * @returns as {@link basicAck}.
   * @throws SettlementError as {@link basicAck}.
   */
  basicNack(options: BasicNackOptions): SettleResult {
    return this.#core.settlement.decline(this.#wireTag(options), options);
  }

  /**
   * Refuses one delivery.
   *
   * @returns as {@link basicAck}.
   * @throws SettlementError as {@link basicAck}.
   */
  basicReject(options: BasicRejectOptions): SettleResult {
    return this.#core.settlement.decline(this.#wireTag(options), options, "reject");
  }

  /** The server's tag of a delivery; `undefined` when the delivery was lost with its connection. Never 0 by calculation. */
  #wireTag({ deliveryTag, multiple }: BasicAckOptions): number | undefined {
    const { settlement } = this.#core;
    if (settlement.isStale) return undefined;
    if (!Number.isInteger(deliveryTag)) throw new SettlementError("UNKNOWN_DELIVERY", deliveryTag);
    if (deliveryTag === 0 && multiple === true) return 0;
    if (deliveryTag > 0 && deliveryTag <= settlement.offset) return undefined;
    return deliveryTag - settlement.offset;
  }

  /** Has the server put back all outstanding deliveries of the channel. RabbitMQ does not support it without requeueing. */
  async basicRecover(options: CallerOptions & { readonly requeue?: boolean | undefined } = {}): Promise<void> {
    checkCall("basic.recover", options);
    const { requeue = true, signal } = options;
    if (!requeue) throw notSupported("basic.recover without requeue");
    await this.#core.inOrder(signal, () => this.#core.call("basic.recover", { requeue }, signal));
  }

  /** As {@link basicRecover}, without an answer. Deprecated in AMQP. */
  async basicRecoverAsync(options: { readonly requeue?: boolean | undefined } = {}): Promise<void> {
    checkCall("basic.recover-async", options, {});
    const { requeue = true } = options;
    if (!requeue) throw notSupported("basic.recover-async without requeue");
    await this.#core.inOrder(undefined, () => this.#core.tell("basic.recover-async", { requeue }));
  }

  // Transactions and flow

  /**
   * Makes the channel transactional, for good: what is published and settled from this call on counts from the next commit.
   */
  async txSelect(options: CallerOptions = {}): Promise<void> {
    checkCall("tx.select", options);
    await this.#core.transactions.select(options.signal);
  }

  /**
   * Commits what was published and settled since the last commit. What is published or settled after this call belongs to
   * the next transaction, also when messages before it have to wait for room still.
   *
   * @throws TransactionError when the transaction, or the answer, was lost with a connection; ChannelError; ConnectionError.
   */
  async txCommit(options: CallerOptions = {}): Promise<void> {
    checkCall("tx.commit", options);
    await this.#core.transactions.commit(options.signal);
  }

  /** Undoes what was published and settled since the last commit. Deliveries are not sent again. */
  async txRollback(options: CallerOptions = {}): Promise<void> {
    checkCall("tx.rollback", options);
    await this.#core.transactions.rollback(options.signal);
  }

  /** Asks the server to go on sending. RabbitMQ cannot be asked to pause: use `Consumer.pause` and a prefetch. */
  async flow(options: CallerOptions & { readonly active: boolean }): Promise<boolean> {
    checkCall("channel.flow", options);
    const { active, signal } = options;
    if (!active) throw notSupported("channel.flow with active: false");
    return (await this.#core.call("channel.flow", { active }, signal)).active;
  }

  // The channel itself

  /**
   * Makes any request of the protocol, with its fields as they are on the wire; resolves with the fields of the reply.
   * Nothing is checked but that it can be encoded.
   */
  request<M extends RawRequestName>(
    method: M,
    fields: Arguments<M>,
    { signal }: CallerOptions = {},
  ): Promise<ReplyFields<M>> {
    return this.#core.call(method, fields, signal);
  }

  /**
   * Closes the channel. Calls that were made before are answered first; publishes that wait for room are not sent any
   * more. Does nothing, and waits for the end, when the channel is closing or closed.
   *
   * @returns a promise that resolves when the channel is closed, for whatever reason. After 5 s it resolves in any case:
   * a server that has blocked the connection answers nothing, and `closed` tells when it has.
   */
  close(farewell: Farewell = {}): Promise<void> {
    return this.#core.close(farewell);
  }

  /** Closes the channel, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function notSupported(what: string): UsageError {
  // RabbitMQ would close the whole connection (540).
  return new UsageError("NOT_SUPPORTED", `RabbitMQ does not support ${what}`);
}
