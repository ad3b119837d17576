/** A channel whose calls block until they are answered. */

import type { RawRequestName } from "../client/channel.ts";
import type { ReplyFields } from "../client/channel-core.ts";
import type { ChannelEvents } from "../client/channel-host.ts";
import type {
  BasicAckOptions,
  BasicCancelOptions,
  BasicGetOptions,
  BasicNackOptions,
  BasicQosOptions,
  BasicRejectOptions,
  NoWaitOptions,
} from "../client/channel-options.ts";
import type { SettleResult } from "../client/settlement.ts";
import type { Farewell } from "../engine/channel-engine.ts";
import { UsageError } from "../wire/errors.ts";
import type { Arguments } from "../wire/method-types.ts";
import { unpack } from "../threads/pack.ts";
import { unpackError, unpackReturn } from "../threads/pack-errors.ts";
import type { HostItem, PackedEvent } from "../threads/protocol.ts";
import { publishItem } from "../threads/publish-item.ts";
import type { ChannelFacts } from "../threads/greeting.ts";
import { BlockingConsumers } from "./blocking-consumers.ts";
import { type BlockingConsumerDelivery, BlockingGotMessage } from "./blocking-delivery.ts";
import { type BlockingHost, BlockingLane } from "./blocking-lane.ts";
import type {
  Blocking,
  BlockingConsumeOptions,
  BlockingIterateOptions,
  BlockingOptions,
  BlockingPublishOptions,
} from "./blocking-options.ts";
import { BlockingTopology } from "./blocking-topology.ts";
import type { Got } from "./sync-port.ts";

/** Takes a message. What it throws ends the call that dispatched it. */
export type BlockingDeliveryHandler = (delivery: BlockingConsumerDelivery) => unknown;

/**
 * A channel: AMQP's methods as calls that return when the server has answered, and throw what the promise client rejects
 * with. Handlers and listeners are called in `processDataEvents`, `sleep`, `startConsuming` and `consume`, never else.
 */
export class BlockingChannel extends BlockingTopology {
  readonly #host: BlockingHost;
  readonly #lane: BlockingLane;
  readonly #consumers: BlockingConsumers;
  readonly #number: number;
  readonly #listeners = new Map<keyof ChannelEvents, Set<(value: never) => unknown>>();
  #mode: "plain" | "confirm" | "tx";
  #closing = false;

  /** @internal */
  constructor(host: BlockingHost, number: number, facts: ChannelFacts) {
    const lane = new BlockingLane(host, number, facts.number);
    super(lane);
    this.#host = host;
    this.#lane = lane;
    this.#consumers = new BlockingConsumers(lane);
    this.#number = facts.number;
    this.#mode = facts.mode;
    host.port.addLane(number, { handle: (item) => this.#handle(item) });
  }

  /** The channel's number, as the server's tools show it. */
  get number(): number {
    return this.#number;
  }

  /** Where the channel stands. */
  get state(): "open" | "closing" | "closed" {
    if (this.#lane.isClosed || this.#host.port.state.isOver) return "closed";
    return this.#closing ? "closing" : "open";
  }

  /** How publishes are treated: as they come, with confirms, or in transactions. */
  get mode(): "plain" | "confirm" | "tx" {
    return this.#mode;
  }

  /** Why the channel is closed, where it was not this client that closed it. */
  get closeReason(): Error | undefined {
    return this.#lane.end;
  }

  /** The tags of the consumers of this channel. */
  get consumerTags(): readonly string[] {
    return this.#consumers.tags;
  }

  /** Messages of {@link consume} that arrived and that the loop has not taken (Pika's `get_waiting_message_count`). */
  get waitingMessageCount(): number {
    return this.#consumers.waiting;
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
    this.#lane.call("confirmSelect", options);
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
    this.#host.dispatcher.requireRoom();
    const { timeout } = message;
    const item = publishItem(message, this.#lane.number, true);
    this.#lane.ask((port) =>
      port.ask(
        this.#lane.number,
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
      if (answer.type === "got" && !answer.noAck) this.#lane.giveBack(answer.tag);
    };
    const got = this.#lane.ask((port) =>
      port.call(this.#lane.number, "basicGet", options, { timeout: options.timeout, undo }),
    ) as Got | undefined;
    if (got === undefined) return undefined;
    this.#lane.outstanding.add(got.tag, got.noAck);
    return new BlockingGotMessage(got, this.#lane);
  }

  /**
   * Starts a consumer. Its handler is called with each message when events are dispatched, and settles it.
   *
   * @returns the consumer's tag.
   * @throws ChannelError 404 when there is no such queue, 403 when another consumer is exclusive; UsageError.
   */
  basicConsume(options: BlockingConsumeOptions, handler: BlockingDeliveryHandler): string {
    if (typeof handler !== "function") throw new UsageError("INVALID_ARGUMENT", "The handler is not a function");
    const intake = this.#consumers.start(options, false);
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
    return this.#consumers.cancel(consumerTag, timeout);
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
    // Only with an inactivityTimeout does it yield undefined.
    return this.#consumers.loop(consuming, inactivityTimeout) as Iterable<BlockingConsumerDelivery>;
  }

  /**
   * Ends the loop of {@link consume}: its consumer is cancelled, and what was not taken goes back to the queue.
   *
   * @returns how many messages went back; 0 when there is no loop.
   */
  cancel({ timeout }: BlockingOptions = {}): number {
    return this.#consumers.cancelLoop(timeout);
  }

  /**
   * Calls handlers and listeners until the channel has no consumer any more.
   *
   * @throws ChannelError and ConnectionError, when the channel ends otherwise; what a callback throws; UsageError
   * ILLEGAL_STATE inside a callback.
   */
  startConsuming(): void {
    this.#host.dispatcher.requireOutside("startConsuming is not to be called");
    const isOver = (): boolean => this.consumerTags.length === 0 || this.#lane.isClosed;
    this.#host.pumpUntil(isOver, Infinity);
    this.#lane.throwEnd();
  }

  /** Cancels all consumers with a handler, or the one of that tag: then {@link startConsuming} returns. */
  stopConsuming({
    consumerTag,
    timeout,
  }: BlockingOptions & { readonly consumerTag?: string | undefined } = {}): number {
    return this.#consumers.cancelHandlers(consumerTag, timeout);
  }

  // Settling

  /**
   * Acknowledges a delivery, by its tag; with `multiple` all up to it, with tag 0 all there are.
   *
   * @returns `"stale"` when the delivery was lost with a connection.
   * @throws SettlementError when the delivery is settled, unknown, or from a channel that is gone. Nothing was sent then.
   */
  basicAck({ deliveryTag, multiple = false }: BasicAckOptions): SettleResult {
    return this.#lane.settle("ack", deliveryTag, multiple, false);
  }

  /**
   * Refuses a delivery, or with `multiple` all up to it.
   *
   * @returns as {@link basicAck}.
   * @throws as {@link basicAck}.
   */
  basicNack({ deliveryTag, multiple = false, requeue = true }: BasicNackOptions): SettleResult {
    return this.#lane.settle("nack", deliveryTag, multiple, requeue);
  }

  /**
   * Refuses one delivery.
   *
   * @returns as {@link basicAck}.
   * @throws as {@link basicAck}.
   */
  basicReject({ deliveryTag, requeue = true }: BasicRejectOptions): SettleResult {
    return this.#lane.settle("reject", deliveryTag, false, requeue);
  }

  /** Limits how many unacknowledged messages consumers get. */
  basicQos(options: Blocking<BasicQosOptions>): void {
    this.#lane.call("basicQos", options);
  }

  /** Has the server put back all outstanding deliveries of the channel. */
  basicRecover(options: BlockingOptions & { readonly requeue?: boolean | undefined } = {}): void {
    const last = this.#lane.call("basicRecover", options) as number;
    if (last > 0) this.#lane.outstanding.settled(last, true);
  }

  // Transactions, and the channel itself

  /** Makes the channel transactional, as `Channel.txSelect`. */
  txSelect(options: BlockingOptions = {}): void {
    this.#lane.call("txSelect", options);
    this.#mode = "tx";
  }

  /** Commits, as `Channel.txCommit`. */
  txCommit(options: BlockingOptions = {}): void {
    this.#lane.call("txCommit", options);
  }

  /** Rolls back, as `Channel.txRollback`. */
  txRollback(options: BlockingOptions = {}): void {
    this.#lane.call("txRollback", options);
  }

  /** Asks the server to go on sending. RabbitMQ cannot be asked to pause. */
  flow(options: BlockingOptions & { readonly active: boolean }): boolean {
    return this.#lane.call("flow", options) as boolean;
  }

  /** Makes any request of the protocol; returns the fields of the reply. */
  request<M extends RawRequestName>(
    method: M,
    fields: Arguments<M>,
    { timeout }: BlockingOptions = {},
  ): ReplyFields<M> {
    const answer = this.#lane.ask((port) => port.call(this.#lane.number, "request", { method, fields }, { timeout }));
    return answer as ReplyFields<M>;
  }

  /** Closes the channel. Outstanding deliveries go back to their queues. Does nothing when it is closed. */
  close({ timeout, ...farewell }: Farewell & BlockingOptions = {}): void {
    if (this.state === "closed") return;
    this.#closing = true;
    this.#host.port.call(this.#lane.number, "close", farewell, { timeout });
    this.#closed(undefined);
  }

  /** Closes the channel, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  // Inside

  /** @internal The end of the channel, if nobody has been told of it yet. */
  takeUntoldEnd(): Error | undefined {
    return this.#lane.takeUntoldEnd();
  }

  #handle(item: HostItem): void {
    switch (item.type) {
      case "deliver":
        return this.#consumers.deliver(item);
      case "event":
        return this.#event(item.name as keyof ChannelEvents, item.value);
      case "lost":
        this.#lane.outstanding.lose();
        this.#consumers.lost();
        return;
      case "consumer-ended":
        return this.#consumers.ended(item.consumer, item.end);
      default:
        return;
    }
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
    if (this.#lane.isClosed) return;
    this.#lane.closed(error);
    this.#consumers.channelClosed();
    this.#emit("closed", { error });
  }
}

/** How much later than the client this thread gives up on a publish. */
const publishGrace = 1000;
