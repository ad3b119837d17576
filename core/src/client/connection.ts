/** Connections, as an application uses them. */

import type { ConnectionError } from "../engine/errors.ts";
import type { EngineCounters } from "../engine/frame-writer.ts";
import { UsageError } from "../wire/errors.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { Channel } from "./channel.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { CallerOptions } from "./channel-options.ts";
import { ConnectionCore } from "./connection-core.ts";
import type { ConnectionEvents, ConnectionState } from "./connection-events.ts";
import type { CloseOptions, InFlight, Negotiated, OpenChannelOptions, SecretOptions } from "./connection-options.ts";
import type { RecoveryPart } from "./connect-parts.ts";
import type { Consumer, ConsumerHost, IterableConsumer } from "./consumer.ts";
import type { ConsumeOptions, DeliveryHandler, HandlerOptions } from "./consumer-options.ts";
import { checkConsumer, consumeByIterating, consumeWithHandler } from "./consuming.ts";
import type { Deadlines } from "./deadlines.ts";
import { dial, endpointName } from "./dialing.ts";
import type { IoServices } from "./io-services.ts";
import type { Report } from "./listeners.ts";
import { checkMessageNames, messageNames } from "./message-names.ts";
import { checkNames, moreThanNothing, type Names } from "./option-checks.ts";
import type { ConnectPlan } from "./parameters.ts";
import { Publisher } from "./publisher.ts";
import { defaultMaxUnconfirmed, defaultMaxUnconfirmedBytes, type PublisherOptions } from "./publisher-options.ts";
import type { PublishWindow } from "./publishing.ts";

/** What functions beside the connection, such as `openRpcClient`, are lent of it. */
export interface ConnectionInternals {
  readonly io: IoServices;
  readonly deadlines: Deadlines;
  /** Takes what a function of the application threw. */
  readonly report: Report;
}

/** @throws UsageError INVALID_ARGUMENT when it is not a connection, or one of another copy of this package. */
export let internalsOf: (connection: Connection) => ConnectionInternals;

/**
 * What the server closes a consumer's channel for that may pass: the queue is not there, held by another connection, or
 * a delivery was not acknowledged in time (406).
 */
const passingForConsumers: ReadonlySet<number> = new Set([404, 405, 406]);

const publisherNames: Names<PublisherOptions> = {
  ...messageNames,
  persistent: true,
  confirm: true,
  maxUnconfirmed: true,
  maxUnconfirmedBytes: true,
};

/**
 * A connection to a server. Nothing needs a listener: whoever waits for something hears of its end.
 *
 * The handle outlives the transport. When that is lost, the client connects again and brings back channels, topology and
 * consumers; calls that are made meanwhile wait. With `recovery: false` a loss is the end.
 */
export class Connection {
  static {
    internalsOf = (connection) => {
      if (typeof connection === "object" && connection !== null && #core in connection) return connection.#core;
      throw new UsageError("INVALID_ARGUMENT", "connection is not a Connection");
    };
  }

  readonly #core: ConnectionCore;

  private constructor(core: ConnectionCore) {
    this.#core = core;
  }

  /** Connects as planned; `connect` is the way in. */
  static async open(io: IoServices, plan: ConnectPlan, recovery: RecoveryPart | undefined): Promise<Connection> {
    const core = new ConnectionCore(io, plan, recovery);
    await dial(io, core.plan, (link, event, dialed) => core.adopt(link, event, dialed));
    return new Connection(core);
  }

  // What is known

  /** Where the connection stands. */
  get state(): ConnectionState {
    return this.#core.state;
  }

  /** Resolves when the connection is over: with the reason, or with `undefined` when this client closed it. Never rejects. */
  get closed(): Promise<ConnectionError | undefined> {
    return this.#core.closed.promise;
  }

  /** The server's reason, while it does not read from this connection. */
  get blocked(): string | undefined {
    return this.#core.link.engine.blocked;
  }

  /** The option `connectionName`, which the server's tools show. */
  get name(): string | undefined {
    return this.#core.plan.connectionName;
  }

  /** Where it is connected to, or was last, without anything secret: `host:port`, the path of a socket, or a relay's URL. */
  get endpoint(): string {
    const { dialed } = this.#core;
    return dialed === undefined ? "" : endpointName(dialed.target.endpoint);
  }

  /** What both sides agreed on when the connection was opened, or recovered last. */
  get negotiated(): Negotiated {
    return this.#core.negotiated;
  }

  /** What the server says of itself: product, version, platform, capabilities. */
  get serverProperties(): FieldTable {
    return this.#core.link.engine.serverProperties;
  }

  /** What the server says it can do, such as `"publisher_confirms"` and `"consumer_cancel_notify"`. */
  get serverCapabilities(): FieldTable {
    return (this.serverProperties["capabilities"] as FieldTable | undefined) ?? {};
  }

  /** What was sent and received since the connection was opened, or was recovered last. */
  get counters(): EngineCounters | undefined {
    return this.#core.link.engine.counters;
  }

  /** What was sent and received in the whole life of the connection, recoveries included. */
  get totals(): EngineCounters {
    return this.#core.totals;
  }

  /** What is under way at the moment. */
  get inFlight(): InFlight {
    let publishes = 0;
    let deliveries = 0;
    for (const { publishing, subscriptions } of this.#core.registry.all) {
      publishes += publishing.unconfirmed;
      for (const { buffered, running } of subscriptions.all()) deliveries += buffered + running;
    }
    return { publishes, deliveries, requests: this.#core.replies.size };
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#core.link.engine.outputSize;
  }

  /** How many channels are open, or about to be. */
  get channelCount(): number {
    return this.#core.registry.all.length;
  }

  /** Exchanges, queues, bindings and consumers that recovery would bring back. */
  get recordedCount(): number {
    return this.#core.recorder?.topology.size ?? 0;
  }

  /**
   * Resolves when the connection is open: at once, or when it has recovered.
   *
   * @throws ConnectionError when it is closed, or will not recover; AbortError.
   */
  ready(options: CallerOptions = {}): Promise<void> {
    return this.#core.ready(options);
  }

  /**
   * The network may be back: the wait for the next attempt to connect, where there is one, becomes as short as the first.
   * Its use is in a page that hears `online`, or in a laptop that wakes up. Does nothing otherwise, however often it is called.
   */
  reconnectSoon(): void {
    this.#core.recovery?.hurry();
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof ConnectionEvents>(
    name: Name,
    listener: (value: ConnectionEvents[Name]) => unknown,
  ): () => void {
    return this.#core.listeners.on(name, listener);
  }

  // Channels

  /**
   * Opens a channel, with the lowest free number unless one is asked for.
   *
   * @throws UsageError LIMIT_REACHED when all numbers are in use, INVALID_ARGUMENT when that one is; ConnectionError;
   * AbortError.
   */
  async openChannel(options: OpenChannelOptions = {}): Promise<Channel> {
    checkNames<OpenChannelOptions>(options, { number: true, signal: true });
    return new Channel(await this.#core.openChannel(options));
  }

  /**
   * Opens a publisher, with a channel of its own.
   *
   * @throws as {@link openChannel}; UsageError INVALID_ARGUMENT for options that make no sense.
   */
  async openPublisher(options: PublisherOptions = {}): Promise<Publisher> {
    checkMessageNames(options, publisherNames);
    const { maxUnconfirmed = defaultMaxUnconfirmed, maxUnconfirmedBytes = defaultMaxUnconfirmedBytes } = options;
    moreThanNothing(maxUnconfirmed, "maxUnconfirmed");
    moreThanNothing(maxUnconfirmedBytes, "maxUnconfirmedBytes");
    const { signal, confirm = true } = options;
    const window = { messages: maxUnconfirmed, bytes: maxUnconfirmedBytes };
    return this.#onOwnChannel({ signal }, window, async (core) => {
      const publisher = new Publisher(core, options);
      if (confirm) await core.call("confirm.select", {}, signal);
      core.reopensAfter = () => true;
      return publisher;
    });
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
    checkConsumer(options, handler);
    return this.#onOwnChannel({ signal: options.signal }, undefined, async (core) => {
      const host: ConsumerHost = { deadlines: core.deadlines, consumerClosed: () => core.close({}) };
      const consumer =
        handler === undefined
          ? await consumeByIterating(core, options, host)
          : await consumeWithHandler(core, options, handler, host);
      core.reopensAfter = ({ replyCode = 0 }) => passingForConsumers.has(replyCode);
      return consumer;
    });
  }

  /** Makes something that has a channel to itself, and closes the channel when it does not come about. */
  async #onOwnChannel<T>(
    options: CallerOptions,
    window: PublishWindow | undefined,
    make: (core: ChannelCore) => Promise<T>,
  ): Promise<T> {
    const core = await this.#core.openChannel(options, window);
    try {
      return await make(core);
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
  updateSecret(options: SecretOptions): Promise<void> {
    return this.#core.updateSecret(options);
  }

  /**
   * Closes the connection, and its channels with it. What was handed over before is sent; calls that wait for an answer
   * are rejected. May be called twice, while the connection is blocked, and when it is over.
   *
   * @returns a promise that resolves when the transport is closed.
   * @throws UsageError INVALID_ARGUMENT when the farewell cannot be sent.
   */
  close({ timeout, ...farewell }: CloseOptions = {}): Promise<void> {
    return this.#core.close(farewell, timeout);
  }

  /** Closes the connection, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
