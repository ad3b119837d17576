/** Connections, as an application uses them. */

import { ChannelError, ConnectionError } from "../engine/errors.ts";
import type { ChannelClosedEvent, ClosedEvent, ConnectionEvent, OpenEvent } from "../engine/events.ts";
import type { ChannelEngine, Farewell } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import { type EngineCounters, newCounters } from "../engine/frame-writer.ts";
import { isBytes } from "../wire/bytes.ts";
import { UsageError } from "../wire/errors.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { encodeText } from "../wire/text.ts";
import { Channel } from "./channel.ts";
import { ChannelCore, type ChannelHost } from "./channel-core.ts";
import type { CallerOptions } from "./channel-options.ts";
import { ChannelRegistry } from "./channel-registry.ts";
import type { ConnectionEvents, ConnectionState } from "./connection-events.ts";
import type { RecoveryPart } from "./connect-parts.ts";
import type { Consumer, ConsumerHost, IterableConsumer } from "./consumer.ts";
import type { ConsumeOptions, DeliveryHandler, HandlerOptions } from "./consumer-options.ts";
import { consumeByIterating, consumeWithHandler } from "./consuming.ts";
import { CredentialsRenewal } from "./credentials-renewal.ts";
import { Deadlines } from "./deadlines.ts";
import { dial, type Dialed, endpointName } from "./dialing.ts";
import { AbortError, endedWith } from "./errors.ts";
import { done, Future, Milestone, onAbort, rejection } from "./futures.ts";
import { alwaysOpen, type Gate } from "./gate.ts";
import type { Observer } from "./instrumentation.ts";
import type { ObservedConnection } from "./instrumentation-hooks.ts";
import type { IoServices } from "./io-services.ts";
import type { Link, LinkOwner } from "./link.ts";
import { Listeners, type Report } from "./listeners.ts";
import { moreThanNothing } from "./option-checks.ts";
import type { ConnectPlan, ConnectTarget } from "./parameters.ts";
import { Publisher } from "./publisher.ts";
import { defaultMaxUnconfirmed, defaultMaxUnconfirmedBytes, type PublisherOptions } from "./publisher-options.ts";
import type { PublishingPolicy, PublishWindow } from "./publishing.ts";
import type { Recorder } from "./recording.ts";
import type { Recovery, RecoveryHost } from "./recovery.ts";
import { Replies } from "./replies.ts";

/** What was negotiated when the connection was opened. 0 stands for no limit, and for no heartbeats. */
export interface Negotiated {
  /** The SASL mechanism that was used. */
  readonly mechanism: string;
  readonly channelMax: number;
  /** Bytes of the largest frame. */
  readonly frameMax: number;
  /** Seconds between heartbeats. */
  readonly heartbeat: number;
}

/** What is under way on a connection. */
export interface InFlight {
  /** Publishes that wait for their confirm. */
  readonly publishes: number;
  /** Messages that consumers have received and not handed out, and handlers that run. */
  readonly deliveries: number;
  /** Calls that wait for the server's answer. */
  readonly requests: number;
}

/** How to close a connection. */
export interface CloseOptions extends Farewell {
  /** How long to wait for the server's answer, in milliseconds. Default: the connection's `closeTimeout`. */
  readonly timeout?: Millis | undefined;
}

/** What functions beside the connection, such as `openRpcClient`, are lent of it. */
export interface ConnectionInternals {
  readonly io: IoServices;
  readonly deadlines: Deadlines;
  /** Takes what a function of the application threw. */
  readonly report: Report;
}

/** @throws UsageError INVALID_ARGUMENT when it is not a connection, or one of another copy of this package. */
export let internalsOf: (connection: Connection) => ConnectionInternals;

/** Channels that are not publishers have no window: their senders wait for confirms, or do not. */
const noWindow: PublishWindow = { messages: Infinity, bytes: Infinity };

/** A connection that does not recover is never down and alive: nothing waits for it, and nothing is published again. */
const neverDown: PublishingPolicy = { allowance: undefined, republish: false, republishLimit: 0 };

/**
 * What the server closes a consumer's channel for that may pass: the queue is not there, held by another connection, or
 * a delivery was not acknowledged in time (406).
 */
const passingForConsumers: ReadonlySet<number> = new Set([404, 405, 406]);

/**
 * A connection to a server. Nothing needs a listener: whoever waits for something hears of its end.
 *
 * The handle outlives the transport. When that is lost, the client connects again and brings back channels, topology and
 * consumers; calls that are made meanwhile wait. With `recovery: false` a loss is the end.
 */
export class Connection {
  static {
    internalsOf = (connection) => {
      if (typeof connection === "object" && connection !== null && #io in connection) {
        return { io: connection.#io, deadlines: connection.#deadlines, report: (error) => connection.#report(error) };
      }
      throw new UsageError("INVALID_ARGUMENT", "connection is not a Connection");
    };
  }

  readonly #io: IoServices;
  readonly #listeners = new Listeners<ConnectionEvents>((error) => this.#report(error));
  readonly #replies = new Replies();
  readonly #deadlines: Deadlines;
  readonly #channels = new ChannelRegistry();
  readonly #closed = new Milestone<ConnectionError | undefined>();
  readonly #over = new Milestone<void>();
  readonly #gate: Gate;
  readonly #host: ChannelHost & { link: Link };
  readonly #recovery: Recovery | undefined;
  readonly #plan: ConnectPlan;
  readonly #observer: Observer | undefined;
  /** Made for credentials that expire. */
  #renewal: CredentialsRenewal | undefined;
  /** The state that listeners know of. */
  #toldState: ConnectionState = "open";
  /** What links that are gone counted. */
  #countedBefore: EngineCounters = newCounters();
  #channelIds = 0;
  #ready: Future<void> | undefined;
  #link: Link | undefined;
  #dialed: Dialed | undefined;
  #negotiated: Negotiated = { mechanism: "", channelMax: 0, frameMax: 0, heartbeat: 0 };
  #end: ConnectionError | undefined;
  #closing = false;
  #cancelCloseDeadline: (() => void) | undefined;
  /** Whether the server does not read at the moment, as far as listeners know. */
  #blocked = false;
  /** Whether the engine of the present link has said its last word. */
  #linkClosed = false;
  #reporting = false;

  private constructor(io: IoServices, given: ConnectPlan, recoveryPart: RecoveryPart | undefined) {
    this.#observer = given.instrumentation?.observe(
      this.#facts(given.connectionName),
      (error) => this.#report(error),
      () => io.now(),
    );
    const plan: ConnectPlan = { ...given, observer: this.#observer };
    this.#plan = plan;
    this.#io = io;
    this.#deadlines = new Deadlines(io);
    const { recovery } = plan;
    this.#recovery = recovery && recoveryPart?.start(() => this.#recoveryHost(io, plan), recovery);
    this.#gate = this.#newGate();
    this.#host = this.#channelHost(this.#recovery?.recorder, this.#observer);
  }

  /** Connects as planned; `connect` is the way in. */
  static async open(io: IoServices, plan: ConnectPlan, recovery: RecoveryPart | undefined): Promise<Connection> {
    const connection = new Connection(io, plan, recovery);
    await dial(io, connection.#plan, (link, event, dialed) => connection.#adopt(link, event, dialed));
    return connection;
  }

  // What is known

  /** Where the connection stands. */
  get state(): ConnectionState {
    if (this.#end !== undefined) return "closed";
    if (this.#closing) return "closing";
    return this.#recovery?.state ?? "open";
  }

  /** Resolves when the connection is over: with the reason, or with `undefined` when this client closed it. Never rejects. */
  get closed(): Promise<ConnectionError | undefined> {
    return this.#closed.promise;
  }

  /** The server's reason, while it does not read from this connection. */
  get blocked(): string | undefined {
    return this.#link?.engine.blocked;
  }

  /** The option `connectionName`, which the server's tools show. */
  get name(): string | undefined {
    return this.#plan.connectionName;
  }

  /** Where it is connected to, or was last, without anything secret: `host:port`, the path of a socket, or a relay's URL. */
  get endpoint(): string {
    return this.#dialed === undefined ? "" : endpointName(this.#dialed.target.endpoint);
  }

  /** What both sides agreed on when the connection was opened, or recovered last. */
  get negotiated(): Negotiated {
    return this.#negotiated;
  }

  /** What the server says of itself: product, version, platform, capabilities. */
  get serverProperties(): FieldTable {
    return this.#link?.engine.serverProperties ?? {};
  }

  /** What the server says it can do, such as `"publisher_confirms"` and `"consumer_cancel_notify"`. */
  get serverCapabilities(): FieldTable {
    return (this.serverProperties["capabilities"] as FieldTable | undefined) ?? {};
  }

  /** What was sent and received since the connection was opened, or was recovered last. */
  get counters(): EngineCounters | undefined {
    return this.#link?.engine.counters;
  }

  /** What was sent and received in the whole life of the connection, recoveries included. */
  get totals(): EngineCounters {
    const now = this.#link?.engine.counters ?? newCounters();
    const before = this.#countedBefore;
    return {
      framesReceived: before.framesReceived + now.framesReceived,
      framesSent: before.framesSent + now.framesSent,
      bytesReceived: before.bytesReceived + now.bytesReceived,
      bytesSent: before.bytesSent + now.bytesSent,
      messagesReceived: before.messagesReceived + now.messagesReceived,
      messagesPublished: before.messagesPublished + now.messagesPublished,
    };
  }

  /** What is under way at the moment. */
  get inFlight(): InFlight {
    let publishes = 0;
    let deliveries = 0;
    for (const { publishing, subscriptions } of this.#channels.all) {
      publishes += publishing.unconfirmed;
      for (const { buffered, running } of subscriptions.all()) deliveries += buffered + running;
    }
    return { publishes, deliveries, requests: this.#replies.size };
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#link?.engine.outputSize ?? 0;
  }

  /** How many channels are open, or about to be. */
  get channelCount(): number {
    return this.#channels.all.length;
  }

  /** Exchanges, queues, bindings and consumers that recovery would bring back. */
  get recordedCount(): number {
    return this.#recovery?.recorder.topology.size ?? 0;
  }

  /**
   * Resolves when the connection is open: at once, or when it has recovered.
   *
   * @throws ConnectionError when it is closed, or will not recover; AbortError.
   */
  ready({ signal }: CallerOptions = {}): Promise<void> {
    if (this.state === "open") return done;
    if (this.#usableLink === undefined) return this.#refusedCall();
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    this.#ready ??= new Future<void>();
    // Nobody may be left waiting when it fails.
    this.#ready.promise.catch(() => {});
    const aborted = new Future<void>();
    const stopListening = onAbort(signal, (reason) => aborted.fail(() => new AbortError(reason, "not-sent")));
    return Promise.race([this.#ready.promise, aborted.promise]).finally(stopListening);
  }

  /**
   * The network may be back: the wait for the next attempt to connect, where there is one, becomes as short as the first.
   * Its use is in a page that hears `online`, or in a laptop that wakes up. Does nothing otherwise, however often it is called.
   */
  reconnectSoon(): void {
    this.#recovery?.hurry();
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof ConnectionEvents>(
    name: Name,
    listener: (value: ConnectionEvents[Name]) => unknown,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  // Channels

  /**
   * Opens a channel, with the lowest free number unless one is asked for.
   *
   * @throws UsageError LIMIT_REACHED when all numbers are in use, INVALID_ARGUMENT when that one is; ConnectionError;
   * AbortError.
   */
  async openChannel(options: CallerOptions & { readonly number?: number | undefined } = {}): Promise<Channel> {
    return new Channel(await this.#openChannel(options));
  }

  /**
   * Opens a publisher, with a channel of its own.
   *
   * @throws as {@link openChannel}; UsageError INVALID_ARGUMENT for options that make no sense.
   */
  async openPublisher(options: PublisherOptions = {}): Promise<Publisher> {
    const { maxUnconfirmed = defaultMaxUnconfirmed, maxUnconfirmedBytes = defaultMaxUnconfirmedBytes } = options;
    moreThanNothing(maxUnconfirmed, "maxUnconfirmed");
    moreThanNothing(maxUnconfirmedBytes, "maxUnconfirmedBytes");
    const { signal, confirm = true } = options;
    const window = { messages: maxUnconfirmed, bytes: maxUnconfirmedBytes };
    const core = await this.#openChannel({ signal }, window);
    try {
      const publisher = new Publisher(core, options);
      if (confirm) await core.call("confirm.select", {}, signal);
      core.reopensAfter = () => true;
      return publisher;
    } catch (error) {
      void core.close({});
      throw error;
    }
  }

  /**
   * Starts a consumer, with a channel of its own: with a handler, or to be iterated over. Closing the consumer closes
   * the channel.
   *
   * @throws as {@link openChannel}; ChannelError 404 when there is no such queue, 403 when another consumer is exclusive.
   */
  openConsumer(options: HandlerOptions, handler: DeliveryHandler): Promise<Consumer>;
  openConsumer(options: ConsumeOptions): Promise<IterableConsumer>;
  async openConsumer(options: HandlerOptions, handler?: DeliveryHandler): Promise<Consumer> {
    const core = await this.#openChannel({ signal: options.signal });
    const host: ConsumerHost = { deadlines: this.#deadlines, consumerClosed: () => core.close({}) };
    try {
      const consumer =
        handler === undefined
          ? await consumeByIterating(core, options, host)
          : await consumeWithHandler(core, options, handler, host);
      core.reopensAfter = ({ replyCode = 0 }) => passingForConsumers.has(replyCode);
      return consumer;
    } catch (error) {
      void core.close({});
      throw error;
    }
  }

  // The connection itself

  /**
   * Gives the server a new secret, such as a fresh OAuth 2 token, before the old one expires. Several calls may wait. While
   * the connection is lost it waits, and is dropped when the credentials are a function, which is asked anew.
   *
   * @throws ConnectionError when the server refuses it, which ends the connection; UsageError; AbortError.
   */
  updateSecret({
    newSecret,
    reason,
    signal,
  }: CallerOptions & { readonly newSecret: string | Uint8Array; readonly reason: string }): Promise<void> {
    const link = this.#usableLink;
    if (link === undefined) return this.#refusedCall();
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    if (this.#gate.isOpen) return this.#sendSecret(newSecret, reason, signal);
    const since = this.#io.now();
    const later = (): Promise<void> => {
      // The handshake asked for credentials after this call: they are newer than its secret.
      const { target, credentialsAt } = this.#dialed as Dialed;
      const isOutdated = target.credentials.isAsked && credentialsAt >= since;
      return isOutdated ? done : this.updateSecret({ newSecret, reason, signal });
    };
    return this.#gate.pass(later, signal);
  }

  async #sendSecret(newSecret: string | Uint8Array, reason: string, signal: AbortSignal | undefined): Promise<void> {
    const link = this.#usableLink;
    if (link === undefined) return this.#refusedCall();
    if (typeof newSecret !== "string" && !isBytes(newSecret)) {
      throw new UsageError("INVALID_ARGUMENT", "newSecret is a string or a Uint8Array");
    }
    const secret = typeof newSecret === "string" ? encodeText(newSecret) : newSecret;
    const request = link.engine.updateSecret(secret, reason);
    link.touch();
    await this.#replies.expect(request, { signal, value: () => {} });
  }

  /**
   * Closes the connection, and its channels with it. What was handed over before is sent; calls that wait for an answer
   * are rejected. May be called twice, while the connection is blocked, and when it is over.
   *
   * @returns a promise that resolves when the transport is closed.
   * @throws UsageError INVALID_ARGUMENT when the farewell cannot be sent.
   */
  close({ timeout, ...farewell }: CloseOptions = {}): Promise<void> {
    if (this.#closing || this.#end !== undefined) return this.#over.promise;
    if (this.#recovery?.state === "connecting") {
      this.#closing = true;
      this.#link?.abort();
      this.#finish(undefined);
      this.#over.reach();
      return this.#over.promise;
    }
    try {
      this.#link?.endTurnEarly();
      this.#link?.engine.close(farewell);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#closing = true;
    this.#recovery?.stop();
    this.#renewal?.stop();
    this.#link?.touch();
    this.#tellState();
    if (timeout !== undefined) {
      this.#cancelCloseDeadline = this.#deadlines.add(timeout, { expire: () => this.#link?.abort() });
    }
    return this.#over.promise;
  }

  /** Closes the connection, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // Inside

  #adopt(link: Link, { mechanism, channelMax, frameMax, heartbeat }: OpenEvent, dialed: Dialed): LinkOwner {
    const isFirst = this.#link === undefined;
    this.#dialed = dialed;
    this.#countedBefore = this.totals;
    this.#link = link;
    this.#host.link = link;
    this.#linkClosed = false;
    this.#renewCredentials(dialed);
    this.#negotiated = { mechanism, channelMax, frameMax, heartbeat };
    if (isFirst) this.#recovery?.begin(this.#io.now());
    else this.#recovery?.adopted(link);
    if (isFirst) this.#observer?.event("connected", { epoch: 1 });
    return {
      handle: (event) => this.#handle(event),
      expectsAnswers: () => this.#expectsAnswers(),
      ended: () => this.#ended(link),
    };
  }

  #renewCredentials({ target, credentialsAt }: Dialed): void {
    if (target.credentials.validFor !== undefined) {
      this.#renewal ??= new CredentialsRenewal({
        io: this.#io,
        timeout: this.#plan.openTimeout,
        updateSecret: (secret) => this.#sendSecret(secret, "The old one expires", undefined),
        renewed: (validFor) => this.#emit("credentials-renewed", { validFor }),
        failed: (error, attempt, delay) => this.#emit("credentials-failed", { error, attempt, delay }),
      });
    }
    this.#renewal?.begin(target.credentials, credentialsAt);
  }

  /** What channels are lent. Those of recovery's own are not recorded. */
  #channelHost(recorder: Recorder | undefined, observer: Observer | undefined): ChannelHost & { link: Link } {
    return {
      link: this.#link as Link,
      replies: this.#replies,
      deadlines: this.#deadlines,
      report: this.#listeners.report,
      recorder,
      policy: this.#recovery?.policy ?? neverDown,
      newGate: () => this.#newGate(),
      mayRepeat: (method, fields) => this.#recovery?.mayRepeat(method, fields) === true,
      observer,
      forget: (core) => this.#channels.remove(core),
    };
  }

  #newGate(): Gate {
    return this.#recovery?.newGate(this.#deadlines) ?? alwaysOpen;
  }

  #recoveryHost(io: IoServices, connectPlan: ConnectPlan): RecoveryHost {
    const link = (): Link => this.#link as Link;
    const channels = (): ChannelCore[] => this.#channels.all;
    return {
      get link() {
        return link();
      },
      get channels() {
        return channels();
      },
      io,
      connectPlan,
      deadlines: this.#deadlines,
      report: (error) => this.#report(error),
      adopt: (opened, event, dialed) => this.#adopt(opened, event, dialed),
      openPrivateChannel: (othersHaveNumbers) => this.#openPrivateChannel(othersHaveNumbers),
      channelFailed: (core, error) => this.#endChannel(core, { error, requests: [] }),
      emit: (name, value) => this.#emit(name, value),
      ready: () => this.ready(),
      shut: (cause) => this.#gate.shut(cause),
      open: () => this.#opened(),
      gaveUp: (error) => this.#finish(error),
      close: () => void this.close(),
    };
  }

  #newChannel(number: number | undefined, window: PublishWindow): ChannelCore {
    const { engine } = this.#host.link;
    const channel = number === undefined ? this.#channels.openNext(engine) : this.#channels.openNumber(engine, number);
    const core = this.#begin(this.#host, channel, window);
    this.#channels.add(core);
    return core;
  }

  /** A channel of recovery's own. When everything is lost the numbers of all channels are free for it. */
  #openPrivateChannel(othersHaveNumbers: boolean): ChannelCore {
    const host = this.#channelHost(undefined, undefined);
    const { engine } = host.link;
    const core = this.#begin(
      host,
      othersHaveNumbers ? this.#channels.openNext(engine) : engine.openChannel(),
      noWindow,
    );
    this.#channels.addPrivate(core);
    return core;
  }

  #begin(host: ChannelHost, engine: ChannelEngine, window: PublishWindow): ChannelCore {
    this.#channelIds += 1;
    const core = new ChannelCore(host, engine, this.#channelIds, window);
    core.link.touch();
    // Whoever opens it waits for that, or for the answer of the first call.
    core.opened.catch(() => {});
    return core;
  }

  async #openChannel(
    { number, signal }: CallerOptions & { readonly number?: number | undefined },
    window: PublishWindow = noWindow,
  ): Promise<ChannelCore> {
    if (this.#usableLink === undefined) return this.#refusedCall();
    if (signal?.aborted === true) throw new AbortError(signal.reason, "not-sent");
    if (!this.#gate.isOpen) return this.#gate.pass(() => this.#openChannel({ number, signal }, window), signal);
    const core = this.#newChannel(number, window);
    if (signal === undefined) {
      await core.opened;
      return core;
    }
    const aborted = new Future<never>();
    const stopListening = onAbort(signal, (reason) => {
      void core.close({});
      aborted.fail(() => new AbortError(reason, "unknown"));
    });
    try {
      await Promise.race([core.opened, aborted.promise]);
      return core;
    } finally {
      stopListening();
    }
  }

  get #usableLink(): Link | undefined {
    return this.#end === undefined && !this.#closing ? this.#link : undefined;
  }

  #refusedCall(): Promise<never> {
    const end = this.#end ?? closedByClient();
    return rejection(() => endedWith(end, "not-sent"));
  }

  #handle(event: ConnectionEvent): void {
    switch (event.type) {
      case "reply":
      case "basic.get-ok":
        return this.#replies.answer(event);
      case "connection.blocked":
        this.#blocked = true;
        return this.#emit("blocked", { reason: event.reason });
      case "connection.unblocked":
        this.#makeUseOfRoom();
        return this.#unblocked();
      case "writable":
        return this.#makeUseOfRoom();
      case "channel-closed":
        return this.#channelClosed(event);
      case "closed":
        return this.#connectionClosed(event);
      case "open":
        return;
      default:
        this.#channels.find(event.channel)?.handle(event);
    }
  }

  #makeUseOfRoom(): void {
    for (const channel of this.#channels.all) channel.publishing.makeUseOfRoom();
  }

  #unblocked(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#emit("unblocked", undefined);
  }

  #channelClosed(event: ChannelClosedEvent): void {
    const core = this.#channels.find(event.channel);
    const { error } = event;
    if (core === undefined) return;
    const comesBack = error !== undefined && core.state !== "closing" && this.#recovery?.keeps(core, error) === true;
    if (!comesBack) return this.#endChannel(core, event);
    this.#channels.lost();
    core.lost(event, error);
    if (error instanceof ChannelError) this.#recovery?.channelLost(core);
  }

  #endChannel(core: ChannelCore, { error, requests }: Pick<ChannelClosedEvent, "error" | "requests">): void {
    core.ended({ type: "channel-closed", channel: core.number, error, requests });
  }

  #connectionClosed({ error, requests }: ClosedEvent): void {
    this.#linkClosed = true;
    this.#renewal?.stop();
    const end = error ?? closedByClient();
    this.#replies.end(requests, end);
    if (error !== undefined && !this.#closing && this.#recovery?.recoversFrom(error) === true) {
      this.#unblocked();
      this.#recovery.lost(error);
    } else {
      if (error !== undefined && !this.#closing && this.#recovery !== undefined) {
        this.#emit("disconnected", { cause: error, willRecover: false });
      }
      this.#finish(error);
    }
  }

  /** It is over, for good. */
  #finish(error: ConnectionError | undefined): void {
    if (this.#end !== undefined) return;
    const end = error ?? closedByClient();
    this.#end = end;
    this.#recovery?.stop();
    this.#renewal?.stop();
    this.#cancelCloseDeadline?.();
    this.#deadlines.end();
    this.#gate.end(end);
    for (const core of [...this.#channels.private, ...this.#channels.all]) {
      this.#endChannel(core, { error: end, requests: [] });
    }
    this.#ready?.fail(() => endedWith(end, "not-sent"));
    this.#closed.reach(error);
    this.#emit("closed", { error });
    if (this.#linkClosed && this.#link?.isClosed === true) this.#over.reach();
  }

  /** A transport is closed. Its engine has said its last word, unless it has a bug: nobody may hang for that either. */
  #ended(link: Link): void {
    if (link !== this.#link) return;
    if (!this.#linkClosed) this.#finish(new ConnectionError("CONNECTION_LOST", "The connection was lost"));
    if (this.#end !== undefined) this.#over.reach();
  }

  /** Everything is back. */
  #opened(): void {
    this.#gate.open();
    this.#ready?.resolve();
    this.#ready = undefined;
    this.#gate.admit();
  }

  #expectsAnswers(): boolean {
    return this.#replies.size > 0 || this.#channels.all.some(({ publishing }) => publishing.unconfirmed > 0);
  }

  #emit<Name extends keyof ConnectionEvents>(name: Name, value: ConnectionEvents[Name]): void {
    this.#observer?.event(name, value);
    this.#listeners.emit(name, value);
    this.#tellState();
  }

  #tellState(): void {
    const { state } = this;
    const before = this.#toldState;
    if (state === before) return;
    this.#toldState = state;
    this.#emit("state", { state, before });
  }

  /** What hooks are told of this connection. */
  #facts(name: string | undefined): ObservedConnection {
    const target = (): ConnectTarget | undefined => this.#dialed?.target;
    return {
      name,
      get endpoint() {
        return target()?.endpoint;
      },
      get virtualHost() {
        return target()?.virtualHost;
      },
    };
  }

  #report(error: unknown): void {
    // A listener for failures that fails itself is not told so, or it would never end.
    if (this.#reporting) return;
    this.#reporting = true;
    this.#emit("callback-error", { error });
    this.#reporting = false;
  }
}

function closedByClient(): ConnectionError {
  return new ConnectionError("CONNECTION_CLOSED", "The connection was closed by the client");
}
