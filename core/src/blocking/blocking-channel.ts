/** A channel whose calls block until they are answered. */

import type { RawRequestName } from "../client/channel.ts";
import type { ChannelEvents, ReplyFields } from "../client/channel-core.ts";
import type {
  BasicAckOptions,
  BasicCancelOptions,
  BasicGetOptions,
  BasicNackOptions,
  BasicQosOptions,
  BasicRejectOptions,
  ExchangeBindOptions,
  ExchangeDeclareOptions,
  ExchangeDeleteOptions,
  MessageCount,
  NoWaitOptions,
  QueueBindOptions,
  QueueDeclared,
  QueueDeclareOptions,
  QueueDeleteOptions,
  QueuePurgeOptions,
  QueueUnbindOptions,
} from "../client/channel-options.ts";
import type { SettleResult } from "../client/settlement.ts";
import type { Farewell } from "../engine/channel-engine.ts";
import { ChannelError } from "../engine/errors.ts";
import { UsageError } from "../wire/errors.ts";
import type { Arguments } from "../wire/method-types.ts";
import { Outstanding } from "../threads/lent-message.ts";
import { unpack } from "../threads/pack.ts";
import { unpackError, unpackReturn } from "../threads/pack-errors.ts";
import type { DeliverItem, HostItem, PackedEnd, PackedEvent, Verb } from "../threads/protocol.ts";
import { publishItem } from "../threads/publish-item.ts";
import type { ChannelFacts } from "../threads/worker-channel.ts";
import type { PlainCall } from "../threads/channel-service.ts";
import { BlockingConsumerDelivery, BlockingGotMessage, type BlockingSettler } from "./blocking-delivery.ts";
import type {
  Blocking,
  BlockingConsumeOptions,
  BlockingIterateOptions,
  BlockingOptions,
  BlockingPublishOptions,
} from "./blocking-options.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Intake } from "./intake.ts";
import type { Got, SyncPort } from "./sync-port.ts";

/** What a channel needs of its connection. */
export interface BlockingHost {
  readonly port: SyncPort;
  readonly dispatcher: Dispatcher;
  /** Waits until `until` holds, calling what waits to be called; false when `limit` came first. */
  pumpUntil(until: () => boolean, limit: number): boolean;
}

/** Takes a message. What it throws ends the call that dispatched it. */
export type BlockingDeliveryHandler = (delivery: BlockingConsumerDelivery) => unknown;

/** What is the same for two loops over one consumer. */
interface Loop {
  readonly intake: Intake;
  readonly queue: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
}

/**
 * A channel: AMQP's methods as calls that return when the server has answered, and throw what the promise client rejects
 * with. Handlers and listeners are called in `processDataEvents`, `sleep`, `startConsuming` and `consume`, never else.
 */
export class BlockingChannel {
  readonly #host: BlockingHost;
  readonly #lane: number;
  readonly #number: number;
  readonly #outstanding = new Outstanding();
  readonly #settler: BlockingSettler;
  /** By the call that started them. */
  readonly #intakes = new Map<number, Intake>();
  readonly #listeners = new Map<keyof ChannelEvents, Set<(value: never) => unknown>>();
  #state: "open" | "closing" | "closed";
  #mode: "plain" | "confirm" | "tx";
  #end: Error | undefined;
  /** Whether the application has heard of the end. */
  #endTold = false;
  #loop: Loop | undefined;

  /** @internal */
  constructor(host: BlockingHost, lane: number, facts: ChannelFacts) {
    this.#host = host;
    this.#lane = lane;
    this.#number = facts.number;
    this.#mode = facts.mode;
    this.#state = "open";
    this.#settler = {
      isOutstanding: (tag) => this.#outstanding.has(tag),
      settle: (verb, tag, multiple, requeue) => this.#settle(verb, tag, multiple, requeue),
    };
    host.port.addLane(lane, { handle: (item) => this.#handle(item) });
  }

  /** The channel's number, as the server's tools show it. */
  get number(): number {
    return this.#number;
  }

  /** Where the channel stands. */
  get state(): "open" | "closing" | "closed" {
    return this.#state;
  }

  /** How publishes are treated: as they come, with confirms, or in transactions. */
  get mode(): "plain" | "confirm" | "tx" {
    return this.#mode;
  }

  /** Why the channel is closed, where it was not this client that closed it. */
  get closeReason(): Error | undefined {
    return this.#end;
  }

  /** The tags of the consumers of this channel. */
  get consumerTags(): readonly string[] {
    return [...this.#intakes.values()].filter(({ isOver }) => !isOver).map(({ consumerTag }) => consumerTag);
  }

  /** Messages of {@link consume} that arrived and that the loop has not taken (Pika's `get_waiting_message_count`). */
  get waitingMessageCount(): number {
    return this.#loop?.intake.waiting ?? 0;
  }

  /** Adds a listener, which is called when events are dispatched; the returned function removes it. */
  on<Name extends Exclude<keyof ChannelEvents, "lost">>(
    name: Name,
    listener: (value: ChannelEvents[Name]) => unknown,
  ): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  // Publishing

  /** Turns on publisher confirms, for good: then {@link basicPublish} returns when the server has taken the message. */
  confirmSelect(options: Blocking<NoWaitOptions> = {}): void {
    this.#call("confirmSelect", options);
    this.#mode = "confirm";
  }

  /**
   * Publishes a message. In confirm mode it returns when the server has taken it; otherwise when it was handed over,
   * which takes a while only while output is congested or the server blocks the connection.
   *
   * @throws NackError and UnroutableError in confirm mode; TimeoutError; UsageError for what cannot be sent, and
   * LIMIT_REACHED while too many events wait to be dispatched; ChannelError; ConnectionError.
   */
  basicPublish(message: BlockingPublishOptions): void {
    const { port, dispatcher } = this.#host;
    dispatcher.requireRoom();
    const { timeout } = message;
    const item = publishItem(message, this.#lane, true);
    this.#telling(() =>
      port.ask(
        this.#lane,
        "basicPublish",
        (id) => {
          item.id = id;
          port.outbox.postWithBody(item, message.body, false);
        },
        // The client's own limit comes first: it knows whether the message was sent.
        { timeout: timeout === undefined ? undefined : timeout + publishGrace },
      ),
    );
  }

  // Getting and consuming

  /** Takes one message out of a queue; `undefined` when it is empty. */
  basicGet(options: Blocking<BasicGetOptions>): BlockingGotMessage | undefined {
    const undo = (answer: HostItem): void => {
      if (answer.type === "got" && !answer.noAck) this.#giveBack(answer.tag);
    };
    const got = this.#telling(() =>
      this.#host.port.call(this.#lane, "basicGet", options, { timeout: options.timeout, undo }),
    ) as Got | undefined;
    if (got === undefined) return undefined;
    this.#outstanding.add(got.tag, got.noAck);
    return new BlockingGotMessage(got, this.#settler);
  }

  /**
   * Starts a consumer. Its handler is called with each message when events are dispatched, and settles it.
   *
   * @returns the consumer's tag.
   * @throws ChannelError 404 when there is no such queue, 403 when another consumer is exclusive; UsageError.
   */
  basicConsume(options: BlockingConsumeOptions, handler: BlockingDeliveryHandler): string {
    if (typeof handler !== "function") throw new UsageError("INVALID_ARGUMENT", "The handler is not a function");
    const intake = this.#consume(options, false);
    intake.handler = handler;
    return intake.consumerTag;
  }

  /**
   * Cancels a consumer. What of its messages no handler has seen goes back to the queue; with `noAck` it cannot, and is
   * still handed out.
   *
   * @returns how many messages went back; 0 when there is no such consumer.
   */
  basicCancel({ consumerTag, timeout }: Blocking<BasicCancelOptions>): number {
    for (const [id, intake] of this.#intakes) {
      if (intake.consumerTag === consumerTag && !intake.isOver) return this.#cancel(id, intake, timeout);
    }
    return 0;
  }

  /**
   * A queue's messages, to loop over: `for (const delivery of channel.consume({ queue }))`. Each is to be settled by
   * whoever takes it.
   *
   * Leaving the loop leaves the consumer as it is, and a further loop over the same queue goes on with it: {@link cancel}
   * ends it, and gives back what was not taken. The loop ends by itself when the consumer is cancelled, by either side.
   * While it waits, events are dispatched.
   *
   * @throws UsageError ILLEGAL_STATE when the channel has a loop over another queue, or of another kind; ChannelError and
   * ConnectionError, when the channel ends; what a handler or listener throws that is called meanwhile.
   */
  consume(
    options: BlockingIterateOptions & { readonly inactivityTimeout: number },
  ): Iterable<BlockingConsumerDelivery | undefined>;
  consume(options: BlockingIterateOptions): Iterable<BlockingConsumerDelivery>;
  consume(options: BlockingIterateOptions): Iterable<BlockingConsumerDelivery> {
    const { inactivityTimeout = Infinity, ...consuming } = options;
    if (typeof inactivityTimeout !== "number" || !(inactivityTimeout >= 0)) {
      throw new UsageError("INVALID_ARGUMENT", `inactivityTimeout is a number, not ${String(inactivityTimeout)}`);
    }
    const { intake } = this.#loopOf(consuming);
    // Only with an inactivityTimeout does it yield undefined.
    return this.#messagesOf(intake, inactivityTimeout) as Iterable<BlockingConsumerDelivery>;
  }

  *#messagesOf(
    intake: Intake,
    inactivityTimeout: number,
  ): Generator<BlockingConsumerDelivery | undefined, void, undefined> {
    const { port } = this.#host;
    for (;;) {
      const limit = port.now() + inactivityTimeout;
      this.#host.pumpUntil(() => intake.waiting > 0 || intake.isOver || this.#state === "closed", limit);
      const delivery = intake.shift();
      if (delivery !== undefined) yield delivery;
      else if (this.#end !== undefined) throw this.#tell(this.#end);
      else if (intake.isOver || this.#state === "closed") return;
      else yield undefined;
    }
  }

  /**
   * Ends the loop of {@link consume}: its consumer is cancelled, and what was not taken goes back to the queue.
   *
   * @returns how many messages went back; 0 when there is no loop.
   */
  cancel({ timeout }: BlockingOptions = {}): number {
    const loop = this.#loop;
    if (loop === undefined) return 0;
    this.#loop = undefined;
    for (const [id, intake] of this.#intakes) if (intake === loop.intake) return this.#cancel(id, intake, timeout);
    return 0;
  }

  /**
   * Calls handlers and listeners until the channel has no consumer any more.
   *
   * @throws ChannelError and ConnectionError, when the channel ends otherwise; what a callback throws; UsageError
   * ILLEGAL_STATE inside a callback.
   */
  startConsuming(): void {
    this.#host.dispatcher.requireOutside("startConsuming is not to be called");
    const isOver = (): boolean => this.consumerTags.length === 0 || this.#state === "closed";
    this.#host.pumpUntil(isOver, Infinity);
    if (this.#end !== undefined) throw this.#tell(this.#end);
  }

  /** Cancels all consumers with a handler, or the one of that tag: then {@link startConsuming} returns. */
  stopConsuming({ consumerTag, timeout }: BlockingOptions & { readonly consumerTag?: string } = {}): number {
    let requeued = 0;
    for (const [id, intake] of [...this.#intakes]) {
      if (intake.handler === undefined || intake.isOver) continue;
      if (consumerTag !== undefined && consumerTag !== intake.consumerTag) continue;
      requeued += this.#cancel(id, intake, timeout);
    }
    return requeued;
  }

  // Settling

  /**
   * Acknowledges a delivery, by its tag; with `multiple` all up to it, with tag 0 all there are.
   *
   * @returns `"stale"` when the delivery was lost with a connection.
   * @throws SettlementError when the delivery is settled, unknown, or from a channel that is gone. Nothing was sent then.
   */
  basicAck({ deliveryTag, multiple = false }: BasicAckOptions): SettleResult {
    return this.#settle("ack", deliveryTag, multiple, false);
  }

  /**
   * Refuses a delivery, or with `multiple` all up to it.
   *
   * @returns as {@link basicAck}.
   * @throws as {@link basicAck}.
   */
  basicNack({ deliveryTag, multiple = false, requeue = true }: BasicNackOptions): SettleResult {
    return this.#settle("nack", deliveryTag, multiple, requeue);
  }

  /**
   * Refuses one delivery.
   *
   * @returns as {@link basicAck}.
   * @throws as {@link basicAck}.
   */
  basicReject({ deliveryTag, requeue = true }: BasicRejectOptions): SettleResult {
    return this.#settle("reject", deliveryTag, false, requeue);
  }

  /** Limits how many unacknowledged messages consumers get. */
  basicQos(options: Blocking<BasicQosOptions>): void {
    this.#call("basicQos", options);
  }

  /** Has the server put back all outstanding deliveries of the channel. */
  basicRecover(options: BlockingOptions & { readonly requeue?: boolean } = {}): void {
    this.#call("basicRecover", options);
    this.#outstanding.clear();
  }

  // Exchanges and queues

  /** Declares an exchange, as `Channel.exchangeDeclare`. */
  exchangeDeclare(options: Blocking<ExchangeDeclareOptions>): void {
    this.#call("exchangeDeclare", options);
  }

  /** Deletes an exchange, as `Channel.exchangeDelete`. */
  exchangeDelete(options: Blocking<ExchangeDeleteOptions>): void {
    this.#call("exchangeDelete", options);
  }

  /** Binds an exchange to another, as `Channel.exchangeBind`. */
  exchangeBind(options: Blocking<ExchangeBindOptions>): void {
    this.#call("exchangeBind", options);
  }

  /** Removes a binding, as `Channel.exchangeUnbind`. */
  exchangeUnbind(options: Blocking<ExchangeBindOptions>): void {
    this.#call("exchangeUnbind", options);
  }

  /** Makes a queue, unless there is one of that name and kind. With `noWait` nothing is known of it. */
  queueDeclare(options: Blocking<QueueDeclareOptions> & { readonly noWait: true }): undefined;
  queueDeclare(options?: Blocking<QueueDeclareOptions> & { readonly noWait?: false | undefined }): QueueDeclared;
  queueDeclare(options: Blocking<QueueDeclareOptions> = {}): QueueDeclared | undefined {
    return this.#call("queueDeclare", options) as QueueDeclared | undefined;
  }

  /** Binds a queue, as `Channel.queueBind`. */
  queueBind(options: Blocking<QueueBindOptions>): void {
    this.#call("queueBind", options);
  }

  /** Removes a binding, as `Channel.queueUnbind`. */
  queueUnbind(options: Blocking<QueueUnbindOptions>): void {
    this.#call("queueUnbind", options);
  }

  /** Takes all ready messages out of a queue. */
  queuePurge(options: Blocking<QueuePurgeOptions> & { readonly noWait: true }): undefined;
  /** Drops what is ready in a queue, as `Channel.queuePurge`. */
  queuePurge(options: Blocking<QueuePurgeOptions> & { readonly noWait?: false | undefined }): MessageCount;
  /** Drops what is ready in a queue, as `Channel.queuePurge`. */
  queuePurge(options: Blocking<QueuePurgeOptions>): MessageCount | undefined {
    return this.#call("queuePurge", options) as MessageCount | undefined;
  }

  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: Blocking<QueueDeleteOptions> & { readonly noWait: true }): undefined;
  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: Blocking<QueueDeleteOptions> & { readonly noWait?: false | undefined }): MessageCount;
  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: Blocking<QueueDeleteOptions>): MessageCount | undefined {
    return this.#call("queueDelete", options) as MessageCount | undefined;
  }

  // Transactions, and the channel itself

  /** Makes the channel transactional, as `Channel.txSelect`. */
  txSelect(options: BlockingOptions = {}): void {
    this.#call("txSelect", options);
    this.#mode = "tx";
  }

  /** Commits, as `Channel.txCommit`. */
  txCommit(options: BlockingOptions = {}): void {
    this.#call("txCommit", options);
  }

  /** Rolls back, as `Channel.txRollback`. */
  txRollback(options: BlockingOptions = {}): void {
    this.#call("txRollback", options);
  }

  /** Asks the server to go on sending. RabbitMQ cannot be asked to pause. */
  flow(options: BlockingOptions & { readonly active: boolean }): boolean {
    return this.#call("flow", options) as boolean;
  }

  /** Makes any request of the protocol; returns the fields of the reply. */
  request<M extends RawRequestName>(
    method: M,
    fields: Arguments<M>,
    { timeout }: BlockingOptions = {},
  ): ReplyFields<M> {
    const answer = this.#telling(() => this.#host.port.call(this.#lane, "request", { method, fields }, { timeout }));
    return answer as ReplyFields<M>;
  }

  /** Closes the channel. Outstanding deliveries go back to their queues. Does nothing when it is closed. */
  close({ timeout, ...farewell }: Farewell & BlockingOptions = {}): void {
    if (this.#state === "closed") return;
    this.#state = "closing";
    this.#host.port.call(this.#lane, "close", farewell, { timeout });
    this.#closed(undefined);
  }

  /** Closes the channel, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  // Inside

  #call(method: PlainCall, options: BlockingOptions): unknown {
    return this.#telling(() => this.#host.port.call(this.#lane, method, options, { timeout: options.timeout }));
  }

  /** Makes a call; when it fails with the end of the channel, the application has heard of that. */
  #telling<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      if (error instanceof ChannelError) this.#endTold = true;
      throw error;
    }
  }

  #tell(error: Error): Error {
    this.#endTold = true;
    return error;
  }

  /** @internal The end of the channel, if nobody has been told of it yet. */
  takeUntoldEnd(): Error | undefined {
    if (this.#end === undefined || this.#endTold) return undefined;
    return this.#tell(this.#end);
  }

  #settle(verb: Verb, tag: number, multiple: boolean, requeue: boolean): SettleResult {
    const { port } = this.#host;
    const result = port.ask(this.#lane, `basic.${verb}`, (id) => {
      port.outbox.post({ type: "settle", lane: this.#lane, id, verb, tag, multiple, requeue });
    });
    this.#outstanding.settled(tag, multiple);
    return result as SettleResult;
  }

  /** Gives a message back that nobody has seen, without waiting for an answer. */
  #giveBack(tag: number): void {
    const { port } = this.#host;
    this.#outstanding.settled(tag, false);
    port.outbox.post({ type: "settle", lane: this.#lane, id: 0, verb: "nack", tag, multiple: false, requeue: true });
  }

  #consume({ timeout, ...options }: BlockingConsumeOptions, isLoop: boolean): Intake {
    let number = 0;
    let intake: Intake | undefined;
    const cancelThere = (): void => {
      this.#host.port.outbox.post({
        ...{ type: "call", lane: this.#lane, id: 0, method: "cancelConsumer", abortable: false },
        options: new Map([["consumer", number]]),
      });
    };
    const numbered = (id: number): void => {
      number = id;
      intake = new Intake(options.queue, isLoop, (count, bytes) => this.#taken(id, count, bytes));
      this.#intakes.set(id, intake);
    };
    try {
      const more = { timeout, numbered, undo: cancelThere };
      const made = this.#telling(() => this.#host.port.call(this.#lane, "basicConsume", options, more));
      const { consumerTag, queue } = made as { consumerTag: string; queue: string };
      const started = intake as unknown as Intake;
      started.begun(consumerTag, queue);
      return started;
    } catch (error) {
      this.#intakes.delete(number);
      throw error;
    }
  }

  #loopOf(options: BlockingConsumeOptions): Loop {
    const { queue, noAck = false, exclusive = false } = options;
    const loop = this.#loop;
    if (loop !== undefined && !(loop.intake.isOver && loop.intake.waiting === 0)) {
      if (loop.queue === queue && loop.noAck === noAck && loop.exclusive === exclusive) return loop;
      throw new UsageError(
        "ILLEGAL_STATE",
        "The channel has a loop over another queue, or of another kind: cancel() it",
      );
    }
    this.#loop = { intake: this.#consume(options, true), queue, noAck, exclusive };
    return this.#loop;
  }

  #cancel(id: number, intake: Intake, timeout: number | undefined): number {
    const there = this.#host.port.call(this.#lane, "cancelConsumer", { consumer: id }, { timeout }) as number;
    intake.isOver = true;
    let here = 0;
    for (const delivery of intake.drainUnsettled()) {
      here += 1;
      this.#giveBack(delivery.deliveryTag);
    }
    this.#host.port.outbox.flush();
    if (intake.waiting === 0) this.#intakes.delete(id);
    return there + here;
  }

  #taken(consumer: number, count: number, bytes: number): void {
    const { outbox } = this.#host.port;
    outbox.post({ type: "taken", lane: this.#lane, consumer, count, bytes });
    outbox.flush();
  }

  #handle(item: HostItem): void {
    switch (item.type) {
      case "deliver":
        return this.#deliver(item);
      case "event":
        return this.#event(item.name as keyof ChannelEvents, item.value);
      case "lost":
        this.#outstanding.clear();
        for (const intake of this.#intakes.values()) intake.lost();
        return;
      case "consumer-ended":
        return this.#consumerEnded(item.consumer, item.end);
      default:
        return;
    }
  }

  #deliver(item: DeliverItem): void {
    const intake = this.#intakes.get(item.consumer);
    // Whoever asked for the consumer has given up waiting for it, or has cancelled it.
    if (intake === undefined || (intake.isOver && !item.noAck)) {
      if (!item.noAck) this.#giveBack(item.tag);
      return;
    }
    this.#outstanding.add(item.tag, item.noAck);
    intake.push(new BlockingConsumerDelivery(item, this.#settler));
    // Which message it is, is decided when it is its turn: those before it may have gone back.
    if (!intake.isLoop) this.#host.dispatcher.push(() => this.#dispatch(intake));
  }

  #dispatch(intake: Intake): void {
    if (this.#state === "closed") return;
    const { handler } = intake;
    if (handler === undefined) return;
    const delivery = intake.shift();
    if (delivery !== undefined) handler(delivery);
  }

  #consumerEnded(id: number, { type, error }: PackedEnd): void {
    const intake = this.#intakes.get(id);
    if (intake === undefined) return;
    intake.isOver = true;
    if (type === "not-recovered" && error !== undefined) this.#end ??= unpackError(error);
    if (intake.waiting === 0) this.#intakes.delete(id);
  }

  #event(name: keyof ChannelEvents, { value, error, returned }: PackedEvent): void {
    if (name === "closed") return this.#closed(error && unpackError(error));
    const event = returned === undefined ? unpack(value) : unpackReturn(returned);
    this.#emit(name, event);
  }

  #emit(name: keyof ChannelEvents, value: unknown): void {
    if ((this.#listeners.get(name)?.size ?? 0) === 0) return;
    this.#host.dispatcher.push(() => {
      for (const listener of this.#listeners.get(name) ?? []) listener(value as never);
    });
  }

  #closed(error: Error | undefined): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#end = error;
    this.#outstanding.clear();
    for (const intake of this.#intakes.values()) intake.channelClosed();
    this.#intakes.clear();
    this.#emit("closed", { error });
  }
}

/** How much later than the client this thread gives up on a publish. */
const publishGrace = 1000;
