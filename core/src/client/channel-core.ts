/**
 * A channel from the inside: it takes what the engine says about the channel, and gives it to whoever is concerned.
 * The methods that an application calls are in channel.ts.
 */

import type { ChannelEngine, ChannelRequestName, Farewell, OneWayName } from "../engine/channel-engine.ts";
import { ChannelError, ConnectionError } from "../engine/errors.ts";
import type { ChannelClosedEvent, ConnectionEvent, DeliverEvent } from "../engine/events.ts";
import type { Arguments, Fields, ReplyName } from "../wire/method-types.ts";
import type { ChannelEvents, ChannelHost, ChannelState } from "./channel-host.ts";
import { closePatience, type Deadline, type Deadlines, type Expiring } from "./deadlines.ts";
import { ConsumerDelivery, GotMessage, LentDelivery } from "./delivery.ts";
import { AbortError, type EndError, endedWith, type MakeEnd } from "./errors.ts";
import type { Gate } from "./gate.ts";
import type { Observer } from "./instrumentation/instrumentation.ts";
import { done, Future, Milestone, rejection } from "./futures.ts";
import { inTurn } from "./in-turn.ts";
import type { Link } from "./link.ts";
import { Listeners } from "./listeners.ts";
import { Publishing, type PublishingHost, type PublishWindow } from "./publishing.ts";
import { ChannelMemory, type Recorder } from "./recording.ts";
import type { Answer, CallOptions } from "./replies.ts";
import { Settlement } from "./settlement.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { Transaction } from "./transaction.ts";
import { Transactions } from "./transactions.ts";

/** The reply of a method, as its fields. */
export type ReplyFields<M extends ChannelRequestName> = Fields<ReplyName<M>>;

const never = (): boolean => false;

/** A channel that lives through several connections. What belongs to one of them is replaced by {@link attach}. */
export class ChannelCore implements PublishingHost, Expiring {
  readonly host: ChannelHost;
  /** As the connection has them. What recovery does on a channel of its own is not recorded, and the application not told of it. */
  readonly recorder: Recorder | undefined;
  readonly observer: Observer | undefined;
  readonly memory: ChannelMemory;
  /** The number on the wire, which the channel keeps. */
  readonly number: number;
  readonly gate: Gate;
  /** Whether the channel is reopened when the server closes it; asked with the server's reason. */
  reopensAfter: (error: ChannelError) => boolean = never;
  readonly publishing: Publishing;
  readonly subscriptions: Subscriptions;
  /** `undefined` once it is open. */
  #opened: Future<void> | undefined = new Future<void>();
  readonly #closed = new Milestone<EndError | undefined>();
  readonly #over = new Milestone<void>();
  /** Whoever waits for the channel to be open again. */
  #attached: Future<void> | undefined;
  #engine: ChannelEngine;
  #settlement: Settlement;
  #wasOpened = false;
  /** Set when it is over. */
  #makeEnd: MakeEnd | undefined;
  #closing = false;
  /** Ends how long whoever closes the channel waits for the server. */
  #patience: Deadline | undefined;
  /** The end that this client gave it. */
  #ownEnd: ChannelError | undefined;
  /** What the server's delivery tags begin from, since the channel was opened last. */
  #offset = 0;
  #listeners: Listeners<ChannelEvents> | undefined;
  #transactions: Transactions | undefined;

  /** @param isPrivate - Whether it is recovery's own. */
  constructor(host: ChannelHost, engine: ChannelEngine, id: number, window: PublishWindow, isPrivate = false) {
    this.host = host;
    this.recorder = isPrivate ? undefined : host.recorder;
    this.observer = isPrivate ? undefined : host.observer;
    this.memory = new ChannelMemory(id);
    this.number = engine.number;
    this.gate = host.newGate();
    this.#engine = engine;
    this.#settlement = this.#newSettlement();
    this.publishing = this.observer?.publishing(this, window, host.policy) ?? new Publishing(this, window, host.policy);
    this.subscriptions = new Subscriptions(this);
  }

  /** Made for the first listener. */
  get listeners(): Listeners<ChannelEvents> {
    return (this.#listeners ??= new Listeners(this.host.report));
  }

  get engine(): ChannelEngine {
    return this.#engine;
  }

  /** Of the deliveries since the channel was opened last. */
  get settlement(): Settlement {
    return this.#settlement;
  }

  get link(): Link {
    return this.host.link;
  }

  get deadlines(): Deadlines {
    return this.host.deadlines;
  }

  /** Whether calls go to the server. */
  get live(): boolean {
    return this.gate.isOpen;
  }

  get cause(): EndError | undefined {
    return this.gate.cause;
  }

  /** Makes a call that nothing may follow that was settled before, where that waits for the end of a transaction. */
  inOrder<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    const transactions = this.#transactions;
    this.settlement.flush();
    return transactions?.waits === true ? inTurn((go) => transactions.behind(go), signal, call) : call();
  }

  /** Made for the first call that is about transactions. */
  get transactions(): Transactions {
    return (this.#transactions ??= new Transactions(this));
  }

  get transaction(): Transaction | undefined {
    return this.#transactions?.work;
  }

  /** Settles when the channel is open, or could not be opened. */
  get opened(): Promise<void> {
    return this.#opened?.promise ?? done;
  }

  get state(): ChannelState {
    if (this.#makeEnd !== undefined) return "closed";
    if (this.#closing) return "closing";
    if (!this.live) return this.#wasOpened ? "recovering" : "opening";
    return this.engine.state;
  }

  /** Whether somebody waits for something that the server says, beside answers to calls. */
  get expectsAnswer(): boolean {
    const { state } = this.engine;
    return state === "opening" || state === "closing" || this.publishing.expectsAnswer;
  }

  /** Resolves with the reason when the channel is closed. */
  get closed(): Promise<EndError | undefined> {
    return this.#closed.promise;
  }

  // Commands

  /** Makes a request, and returns a promise of its reply's fields. */
  call<M extends ChannelRequestName>(method: M, fields: Arguments<M>, signal?: AbortSignal): Promise<ReplyFields<M>> {
    return this.ask(method, fields, { signal, value: (answer) => replyFields<M>(answer) });
  }

  /** Makes a request, and returns a promise of what is made of its answer. While the channel is lost it waits. */
  ask<M extends ChannelRequestName, T>(method: M, fields: Arguments<M>, options: CallOptions<T>): Promise<T> {
    const { signal } = options;
    const makeEnd = this.#unusable;
    if (makeEnd !== undefined) return rejection(() => endedWith(makeEnd(), "not-sent"));
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    const again = options.again ?? ((): Promise<T> => this.ask(method, fields, options));
    if (!this.live) return this.gate.pass(again, signal);
    const idempotent = options.idempotent ?? this.host.mayRepeat(method, fields);
    return this.#request(method, fields, options, again, idempotent);
  }

  /** Makes a request of recovery's own, which does not wait until the channel is recovered, and is not recorded. */
  async restore<M extends ChannelRequestName>(method: M, fields: Arguments<M>): Promise<ReplyFields<M>> {
    const request = this.engine.request(method, fields);
    this.link.touch();
    return this.host.replies.expect(request, { value: (answer) => replyFields<M>(answer) });
  }

  /** Sends a method that is not answered. While the channel is lost it waits. */
  tell<M extends OneWayName>(
    method: M,
    fields: Arguments<M>,
    again = (): Promise<void> => this.tell(method, fields),
  ): Promise<void> {
    const makeEnd = this.#unusable;
    if (makeEnd !== undefined) return rejection(() => endedWith(makeEnd(), "not-sent"));
    if (!this.live) return this.gate.pass(again);
    return this.#send(method, fields);
  }

  /** Cancels a consumer at the server. It does not wait: on a channel that is lost there is nothing to cancel. */
  async cancelConsumer(consumerTag: string, noWait: boolean): Promise<void> {
    if (this.engine.state === "closed") return;
    if (noWait) await this.#send("basic.cancel", { consumerTag, noWait });
    else await this.#request("basic.cancel", { consumerTag }, { value: () => {} });
  }

  #request<M extends ChannelRequestName, T>(
    method: M,
    given: Arguments<M>,
    options: CallOptions<T>,
    again?: () => Promise<T>,
    idempotent?: boolean,
  ): Promise<T> {
    this.settlement.flush();
    const { recorder } = this;
    try {
      const fields = recorder?.resolve(this.memory, method, given) ?? given;
      const request = this.engine.request(method, fields);
      const sent = recorder?.sent(this.memory, method, fields);
      this.link.touch();
      if (method === "basic.recover") this.settlement.beginRecover();
      return this.host.replies.expect(request, {
        ...options,
        again,
        idempotent,
        value: (answer) => {
          sent?.done(answer);
          if (method === "basic.recover") this.settlement.endRecover();
          return options.value(answer);
        },
        failed: (end) => sent?.failed?.(end, request.sent),
      });
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #send<M extends OneWayName>(method: M, given: Arguments<M>): Promise<void> {
    this.settlement.flush();
    const { recorder } = this;
    try {
      const fields = recorder?.resolve(this.memory, method, given) ?? given;
      this.engine.send(method, fields);
      if (method === "basic.recover-async") this.settlement.forgetAll();
      recorder?.told(this.memory, method, fields);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.link.touch();
    return done;
  }

  /** Closes the channel; resolves when it is closed, for whatever reason, or the server has taken too long to answer. */
  async close(farewell: Farewell): Promise<void> {
    if (this.#unusable === undefined) {
      if (this.engine.state === "closed") {
        // Nothing of it is left at the server, and nobody brings it back now.
        this.#closing = true;
        this.ended({ error: undefined, requests: [] });
      } else {
        this.settlement.flush();
        this.engine.close(farewell);
        this.#closing = true;
        this.publishing.stop(() => this.#closedByClient());
        this.link.touch();
        this.#patience = this.deadlines.start(closePatience, this);
      }
    }
    return this.#over.promise;
  }

  /** The server has taken too long to answer `channel.close`. */
  expire(): void {
    this.#over.reach();
  }

  // What the engine says

  handle(event: Exclude<ConnectionEvent, { type: "channel-closed" | "closed" }>): void {
    switch (event.type) {
      case "basic.deliver":
        return this.#deliver(event);
      case "settled":
        return this.publishing.settled(event);
      case "basic.return": {
        const message = this.publishing.returned(event);
        return this.#listeners?.emit("return", message);
      }
      case "basic.cancel":
        this.subscriptions.cancelledByServer(event.consumerTag);
        return this.#listeners?.emit("cancel", { consumerTag: event.consumerTag });
      case "channel.flow":
        this.publishing.makeUseOfRoom();
        return this.#listeners?.emit("flow", { active: event.active });
      case "channel-open":
        this.observer?.channelOpened(this);
        // A channel that is recovered is open when everything on it is as it was.
        if (!this.live) return this.#isAttached();
        this.#wasOpened = true;
        return this.#isOpened();
    }
  }

  // Recovery

  /** The channel was lost, and will be recovered: calls wait from now on. */
  lost({ requests }: ChannelClosedEvent, end: EndError): void {
    this.#detach(end.method, () => end);
    this.gate.shut(end);
    this.#offset = this.settlement.offset + this.settlement.highest;
    this.subscriptions.lost();
    this.settlement.lose(end);
    this.transaction?.lost(end);
    this.host.replies.end(requests, end, true);
    this.publishing.lost(end);
    this.#listeners?.emit("lost", { error: end });
    this.observer?.channelClosed(this, end);
  }

  /** The channel is opened anew, in a new connection or after it was closed. Resolves when it is open. */
  attach(engine: ChannelEngine): Promise<void> {
    this.#engine = engine;
    const attached = new Future<void>();
    this.#attached = attached;
    // Whoever brings the channel back hears of its end by the step that is under way, too.
    attached.promise.catch(() => {});
    this.#settlement = this.#newSettlement();
    this.subscriptions.attached();
    return attached.promise;
  }

  #newSettlement(): Settlement {
    const { observer, link } = this;
    const transactions = this.#transactions;
    return (
      observer?.settlement(this.#engine, link, this.#offset, transactions) ??
      new Settlement(this.#engine, link, this.#offset, transactions)
    );
  }

  /** The server has no such channel any more. It may have closed it because of a method. */
  #detach(method: string | undefined, makeEnd: MakeEnd): void {
    this.recorder?.blame(this.memory, method);
    this.#attached?.fail(() => endedWith(makeEnd(), "unknown"));
    this.#attached = undefined;
  }

  #isOpened(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  #isAttached(): void {
    this.#attached?.resolve();
    this.#attached = undefined;
  }

  /** The channel is as it was: calls that waited are made. */
  resume(): void {
    const isNew = !this.#wasOpened;
    this.#wasOpened = true;
    this.gate.open();
    if (isNew) this.#isOpened();
    this.publishing.resume(() => this.gate.admit());
  }

  /** The channel is closed. */
  ended({ error, requests }: Pick<ChannelClosedEvent, "error" | "requests">): void {
    const makeEnd = (): EndError => error ?? this.#closedByClient();
    const reason = error?.code === "CONNECTION_CLOSED" ? undefined : error;
    if (!this.#wasOpened) {
      const outcome = error instanceof ConnectionError ? "unknown" : "refused";
      this.#opened?.fail(() => endedWith(makeEnd(), outcome));
    }
    this.#makeEnd = makeEnd;
    this.host.forget(this);
    this.#detach(error?.method, makeEnd);
    this.gate.end(makeEnd);
    this.settlement.end();
    if (requests.length > 0) this.host.replies.end(requests, makeEnd());
    this.publishing.end(makeEnd);
    this.subscriptions.end(reason === undefined ? { type: "closed" } : { type: "lost", error: reason });
    this.#closed.reach(reason);
    this.#patience?.cancel();
    this.#over.reach();
    this.#listeners?.emit("closed", { error: reason });
    this.observer?.channelClosed(this, reason);
  }

  /** The message of a `basic.get`, if there was one. */
  gotMessage(answer: Answer, noAck: boolean): GotMessage | undefined {
    if (answer.type !== "basic.get-ok") return undefined;
    this.settlement.delivered(answer.deliveryTag, noAck);
    return new GotMessage(answer, this.settlement, noAck);
  }

  #deliver(event: DeliverEvent): void {
    const { settlement } = this;
    const subscription = this.subscriptions.find(event.consumerTag);
    if (subscription === undefined) return this.subscriptions.stray(event);
    const { noAck, lendsBody } = subscription.info;
    settlement.delivered(event.deliveryTag, noAck);
    // On a channel that is closing nothing can be settled any more: the server gives the message back.
    if (this.#closing && !noAck) return;
    // Spelled out: a class that is chosen first is not inlined.
    if (lendsBody) subscription.deliver(new LentDelivery(event, settlement, noAck));
    else subscription.deliver(new ConsumerDelivery(event, settlement, noAck));
  }

  get #unusable(): MakeEnd | undefined {
    return this.#makeEnd ?? (this.#closing ? () => this.#closedByClient() : undefined);
  }

  /** Made once, and only where somebody is told: a stack costs as much as all the rest of closing. */
  #closedByClient(): ChannelError {
    return (this.#ownEnd ??= new ChannelError("CHANNEL_CLOSED", `Channel ${this.number} was closed by the client`));
  }
}

function replyFields<M extends ChannelRequestName>(answer: Answer): ReplyFields<M> {
  // The engine matched the reply to the request by the table of methods.
  return (answer.type === "reply" ? answer.reply.fields : answer) as ReplyFields<M>;
}
