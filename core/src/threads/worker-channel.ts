/** A channel in a thread that has no connection. */

import type { Farewell } from "../engine/channel-engine.ts";
import type { Arguments } from "../wire/method-types.ts";
import type { RawRequestName } from "../client/channel.ts";
import type { ReplyFields } from "../client/channel-core.ts";
import type { ChannelEvents, ChannelState } from "../client/channel-host.ts";
import type {
  BasicAckOptions,
  BasicGetOptions,
  BasicNackOptions,
  BasicQosOptions,
  BasicRejectOptions,
  CallerOptions,
  NoWaitOptions,
} from "../client/channel-options.ts";
import { AbortError } from "../client/errors.ts";
import { Future, onAbort } from "../client/futures.ts";
import { inTurn } from "../client/in-turn.ts";
import { dropped, Listeners, type Report, reporting } from "../client/listeners.ts";
import type { SettleResult } from "../client/settlement.ts";
import { type ChannelFacts, greeted } from "./greeting.ts";
import { Outstanding } from "./lent-message.ts";
import { unpack } from "./pack.ts";
import { packError, unpackError, unpackReturn } from "./pack-errors.ts";
import type { ThreadPort } from "./port.ts";
import { PortGuest } from "./port-guest.ts";
import { channelLane, type HostItem, type PackedEvent } from "./protocol.ts";
import { publishItem, type ThreadPublishOptions } from "./publish-item.ts";
import { PublishTime } from "./publish-time.ts";
import { PublishWindow } from "./publish-window.ts";
import type { PlainCall } from "./channel-service.ts";
import type { ThreadError } from "./thread-error.ts";
import type { WorkerConsumer } from "./worker-consumer.ts";
import { type WorkerHandlerOptions, WorkerConsumers } from "./worker-consumers.ts";
import { type DeliveryLane, sendSettlement, WorkerGotMessage } from "./worker-delivery.ts";
import type { WorkerHandler } from "./worker-handlers.ts";
import { type CallThere, callsOf, WorkerTopology } from "./worker-topology.ts";

/** What the listeners of a worker's channel are given: what those of a channel are, and what happens in this thread. */
export interface WorkerChannelEvents extends Omit<ChannelEvents, "lost"> {
  /** The channel was lost, and comes back: deliveries that came on it are stale. */
  readonly lost: undefined;
  /** A listener or a handler in this thread threw. The thread with the connection hears of it as well. */
  readonly "callback-error": { readonly error: unknown };
}

/**
 * A channel of a connection that lives in another thread. Its methods are those of `Channel`, and reject with the same
 * errors; with `ThreadError` PORT_CLOSED when the other thread is gone. Calls, settlements and publishes arrive there in
 * the order in which they are made here, but that publishes may wait for room: what begins or ends a transaction waits with
 * them, and settlements behind that.
 */
export class WorkerChannel extends WorkerTopology {
  readonly #guest: PortGuest;
  readonly #lane: number;
  readonly #call: CallThere;
  readonly #number: number;
  readonly #outstanding = new Outstanding();
  readonly #deliveryLane: DeliveryLane;
  readonly #window = new PublishWindow();
  /** Calls that begin or end a transaction, and what was settled behind them, that wait for publishes before them. */
  #waiting = 0;
  readonly #consumers: WorkerConsumers;
  /** @internal Takes what a listener or a handler in this thread threw. */
  readonly report: Report = reporting((failure) => {
    this.#listeners.emit("callback-error", failure, dropped);
    this.#guest.outbox.post({ type: "report", lane: this.#lane, error: packError(failure.error) });
  });
  readonly #listeners = new Listeners<WorkerChannelEvents>(this.report);
  readonly #closed = new Future<Error | undefined>();
  #state: ChannelState;
  #mode: "plain" | "confirm" | "tx";

  /** @internal */
  constructor(guest: PortGuest, lane: number, facts: ChannelFacts) {
    const call = callsOf(guest, lane);
    super(call);
    this.#guest = guest;
    this.#lane = lane;
    this.#call = call;
    this.#number = facts.number;
    this.#mode = facts.mode;
    this.#state = facts.state;
    const inOrder = (send: () => void): void => void (this.#waiting > 0 ? this.#later(send) : send());
    this.#deliveryLane = { guest, lane, outstanding: this.#outstanding, allowsMultiple: true, inOrder };
    this.#consumers = new WorkerConsumers(this.#deliveryLane, this.report);
    guest.addLane(lane, { handle: (item) => this.#handle(item), closed: (error) => this.#portClosed(error) });
  }

  /** The channel's number, as the server's tools show it. */
  get number(): number {
    return this.#number;
  }

  /** `"open"`, or `"closed"` when the channel, or the port, is. */
  get state(): ChannelState {
    return this.#state;
  }

  /** How publishes are treated. */
  get mode(): "plain" | "confirm" | "tx" {
    return this.#mode;
  }

  /** Resolves when the channel is closed: with the reason, or with `undefined` when it was closed in order. Never rejects. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** Publishes that wait for what becomes of them. */
  get unconfirmed(): number {
    return this.#window.count;
  }

  /** Deliveries in this thread that it has not settled. */
  get outstanding(): number {
    return this.#outstanding.count;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof WorkerChannelEvents>(
    name: Name,
    listener: (value: WorkerChannelEvents[Name]) => unknown,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  // Publishing

  /** Turns on publisher confirms, for good. */
  async confirmSelect(options: NoWaitOptions = {}): Promise<void> {
    await this.#call("confirmSelect", options);
    this.#mode = "confirm";
  }

  /**
   * Publishes a message, as `Channel.basicPublish` does. At most 1000 messages or 16 MiB of this thread are under way at
   * a time; later ones wait.
   *
   * @throws UsageError for what cannot be sent; LIMIT_REACHED when 64 MiB wait in this thread already. NackError,
   * UnroutableError, TimeoutError, AbortError, ChannelError and ConnectionError as there; ThreadError.
   */
  async basicPublish(message: ThreadPublishOptions): Promise<void> {
    const { body, signal, timeout = Infinity, transfer = false } = message;
    let item = publishItem(message, this.#lane, signal !== undefined);
    if (signal?.aborted === true) throw new AbortError(signal.reason, "not-sent");
    const size = body.length;
    const answered = new Future<unknown>();
    let time: PublishTime | undefined;
    const send = (id: number): void => {
      item.id = id;
      this.#guest.outbox.postWithBody(item, body, transfer);
    };
    const turn = this.#window.enter(size, () => {
      const asked = this.#guest.ask(send, this.#lane, { signal: time?.signal ?? signal, unlimited: true });
      const leave = (): void => this.#window.leave(size);
      asked.then(leave, leave);
      answered.resolve(asked);
    });
    if (turn !== undefined && timeout !== Infinity) {
      time = new PublishTime(this.#guest, this.#lane, timeout, signal);
      item = { ...item, timeout: undefined, abortable: true };
    }
    const stopListening =
      turn &&
      onAbort(time?.signal ?? signal, (reason) => {
        if (this.#window.giveUp(turn)) answered.fail(() => new AbortError(reason, "not-sent"));
      });
    try {
      await answered.promise;
    } catch (error) {
      throw time?.errorOf(error) ?? error;
    } finally {
      time?.end();
      stopListening?.();
    }
  }

  // Consuming

  /**
   * Starts a consumer whose handler runs in this thread. A message is acknowledged when its handler returns, and refused
   * when it throws, unless `settle` is `"manual"` or the handler settled it.
   *
   * @throws ChannelError 404 when there is no such queue; UsageError; ThreadError.
   */
  basicConsume(options: WorkerHandlerOptions, handler: WorkerHandler): Promise<WorkerConsumer> {
    return this.#consumers.start(options, handler);
  }

  /** Limits how many unacknowledged messages consumers get. */
  async basicQos(options: BasicQosOptions): Promise<void> {
    await this.#call("basicQos", options);
  }

  /** Takes one message out of a queue; `undefined` when it is empty. */
  async basicGet(options: BasicGetOptions): Promise<WorkerGotMessage | undefined> {
    const message = await this.#guest.call(this.#lane, "basicGet", options, {
      signal: options.signal,
      got: (item) => new WorkerGotMessage(item, this.#deliveryLane),
    });
    return message as WorkerGotMessage | undefined;
  }

  /** Acknowledges a delivery, by its tag. */
  basicAck({ deliveryTag, multiple }: BasicAckOptions): Promise<SettleResult> {
    return sendSettlement(this.#deliveryLane, "ack", deliveryTag, { multiple });
  }

  /** Refuses a delivery, by its tag. */
  basicNack({ deliveryTag, multiple, requeue }: BasicNackOptions): Promise<SettleResult> {
    return sendSettlement(this.#deliveryLane, "nack", deliveryTag, { multiple, requeue });
  }

  /** Refuses one delivery, by its tag. */
  basicReject({ deliveryTag, requeue }: BasicRejectOptions): Promise<SettleResult> {
    return sendSettlement(this.#deliveryLane, "reject", deliveryTag, { requeue });
  }

  /** Has the server put back all outstanding deliveries of the channel. */
  async basicRecover(options: CallerOptions & { readonly requeue?: boolean | undefined } = {}): Promise<void> {
    const recover = (): Promise<unknown> =>
      this.#guest.call(this.#lane, "basicRecover", options, { signal: options.signal });
    const last = await (this.#waiting > 0 ? inTurn((go) => this.#later(go), options.signal, recover) : recover());
    if (typeof last === "number" && last > 0) this.#outstanding.settled(last, true);
  }

  // Transactions, and the channel itself

  /** Makes the channel transactional, as `Channel.txSelect`. */
  async txSelect(options: CallerOptions = {}): Promise<void> {
    await this.#behindPublishes("txSelect", options);
    this.#mode = "tx";
  }

  /** Commits, as `Channel.txCommit`. */
  async txCommit(options: CallerOptions = {}): Promise<void> {
    await this.#behindPublishes("txCommit", options);
  }

  /** Rolls back, as `Channel.txRollback`. */
  async txRollback(options: CallerOptions = {}): Promise<void> {
    await this.#behindPublishes("txRollback", options);
  }

  /** As `Channel.flow`. */
  async flow(options: CallerOptions & { readonly active: boolean }): Promise<boolean> {
    return (await this.#call("flow", options)) as boolean;
  }

  /** Makes any request of the protocol; resolves with the fields of the reply. */
  async request<M extends RawRequestName>(
    method: M,
    fields: Arguments<M>,
    { signal }: CallerOptions = {},
  ): Promise<ReplyFields<M>> {
    return (await this.#guest.call(this.#lane, "request", { method, fields }, { signal })) as ReplyFields<M>;
  }

  /** Closes the channel. The port stays open: `release` closes it. */
  async close(farewell: Farewell = {}): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closing";
    // No limit is to leave a channel at the server.
    await this.#guest.call(this.#lane, "close", farewell, { unlimited: true });
  }

  /**
   * Closes the port: this thread is done with the channel, which stays as it is. What is outstanding here goes back to
   * its queue.
   */
  release(): void {
    this.#guest.close();
  }

  /** Closes the channel, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== "closed") await this.close();
    this.release();
  }

  // Inside

  /** A call that is of the publishes before it, also where they wait for room. */
  #behindPublishes(method: PlainCall, options: CallerOptions): Promise<unknown> {
    return inTurn(
      (go) => this.#later(go),
      options.signal,
      () => this.#call(method, options),
    );
  }

  /** Does something behind the publishes that wait. What is returned gives it up. */
  #later(go: () => void): () => void {
    this.#waiting += 1;
    const leave = this.#window.behind(() => {
      this.#waiting -= 1;
      go();
    });
    return () => {
      if (leave()) this.#waiting -= 1;
    };
  }

  #handle(item: HostItem): void {
    switch (item.type) {
      case "deliver":
        return this.#consumers.deliver(item);
      case "event":
        return this.#event(item.name as keyof ChannelEvents, item.value);
      case "lost":
        return this.#lost();
      case "consumer-ended":
        return this.#consumers.endedThere(item.consumer, item.end);
      default:
        return;
    }
  }

  /** The channel was lost, and comes back. */
  #lost(): void {
    this.#outstanding.lose();
    this.#consumers.lost();
    this.#listeners.emit("lost", undefined);
  }

  #event(name: keyof ChannelEvents, { value, error, returned }: PackedEvent): void {
    if (name === "closed") return this.#wasClosed(error && unpackError(error));
    const event = returned === undefined ? unpack(value) : unpackReturn(returned);
    this.#listeners.emit(name, event as never);
  }

  #wasClosed(error: Error | undefined): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#outstanding.clear();
    this.#consumers.channelClosed();
    this.#closed.resolve(error);
    this.#listeners.emit("closed", { error: error as ChannelEvents["closed"]["error"] });
  }

  #portClosed(error: ThreadError): void {
    this.#outstanding.clear();
    this.#consumers.portClosed();
    this.#wasClosed(error);
  }
}

/** How to get a channel. */
export interface WorkerChannelOptions {
  /** Gives up waiting for the other thread. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The channel that another thread serves at the other end of a port.
 *
 * @throws ThreadError WRONG_PEER, or PORT_CLOSED; AbortError.
 */
export async function workerChannel(port: ThreadPort, { signal }: WorkerChannelOptions = {}): Promise<WorkerChannel> {
  const guest = new PortGuest(port);
  return greeted(guest, channelLane, signal, (facts) => new WorkerChannel(guest, channelLane, facts as ChannelFacts));
}
