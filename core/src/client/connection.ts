/** Connections, as an application uses them. */

import { ConnectionError } from "../engine/errors.ts";
import type { ConnectionEvent } from "../engine/events.ts";
import type { Farewell } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import type { EngineCounters } from "../engine/frame-writer.ts";
import { isBytes } from "../wire/bytes.ts";
import { UsageError } from "../wire/errors.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { encodeText } from "../wire/text.ts";
import { Channel } from "./channel.ts";
import { ChannelCore, type ChannelHost } from "./channel-core.ts";
import type { CallerOptions } from "./channel-options.ts";
import type { Consumer, ConsumerHost, IterableConsumer } from "./consumer.ts";
import type { ConsumeOptions, DeliveryHandler, HandlerOptions } from "./consumer-options.ts";
import { consumeByIterating, consumeWithHandler } from "./consuming.ts";
import { Deadlines } from "./deadlines.ts";
import { dial } from "./dialing.ts";
import { AbortError, endedWith } from "./errors.ts";
import { Future, onAbort, rejection } from "./futures.ts";
import type { IoServices } from "./io-services.ts";
import type { Link, LinkOwner } from "./link.ts";
import { Listeners } from "./listeners.ts";
import type { ConnectPlan } from "./parameters.ts";
import { Publisher } from "./publisher.ts";
import { defaultMaxUnconfirmed, defaultMaxUnconfirmedBytes, type PublisherOptions } from "./publisher-options.ts";
import type { PublishWindow } from "./publishing.ts";
import { Replies } from "./replies.ts";

/** What the listeners of a connection are given. */
export interface ConnectionEvents {
  /** The server stopped reading from this connection: publishes wait. */
  readonly blocked: { readonly reason: string };
  /** The server reads again. */
  readonly unblocked: undefined;
  /** The connection is over; `error` is `undefined` when this client closed it. */
  readonly closed: { readonly error: ConnectionError | undefined };
  /** A listener or a handler of the application threw, or its promise was rejected. The connection goes on. */
  readonly "callback-error": { readonly error: unknown };
}

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

/** How to close a connection. */
export interface CloseOptions extends Farewell {
  /** How long to wait for the server's answer, in milliseconds. Default: the connection's `closeTimeout`. */
  readonly timeout?: Millis | undefined;
}

/** Channels that are not publishers have no window: their senders wait for confirms, or do not. */
const noWindow: PublishWindow = { messages: Infinity, bytes: Infinity };

/** A connection to a server. Nothing needs a listener: whoever waits for something hears of its end. */
export class Connection {
  readonly #listeners = new Listeners<ConnectionEvents>((error) => this.#report(error));
  readonly #replies = new Replies();
  readonly #deadlines: Deadlines;
  readonly #channels: (ChannelCore | undefined)[] = [];
  readonly #closed = new Future<ConnectionError | undefined>();
  readonly #over = new Future<void>();
  #link: Link | undefined;
  #negotiated: Negotiated = { mechanism: "", channelMax: 0, frameMax: 0, heartbeat: 0 };
  #end: ConnectionError | undefined;
  #closing = false;
  #reporting = false;

  private constructor(io: IoServices) {
    this.#deadlines = new Deadlines(io);
  }

  /** Connects as planned; `connect` is the way in. */
  static async open(io: IoServices, plan: ConnectPlan): Promise<Connection> {
    const connection = new Connection(io);
    await dial(io, plan, (link, { mechanism, channelMax, frameMax, heartbeat }) => {
      connection.#link = link;
      connection.#negotiated = { mechanism, channelMax, frameMax, heartbeat };
      return connection.#owner;
    });
    return connection;
  }

  // What is known

  get state(): "open" | "closing" | "closed" {
    if (this.#end !== undefined) return "closed";
    return this.#closing ? "closing" : "open";
  }

  /** Resolves when the connection is over: with the reason, or with `undefined` when this client closed it. Never rejects. */
  get closed(): Promise<ConnectionError | undefined> {
    return this.#closed.promise;
  }

  /** The server's reason, while it does not read from this connection. */
  get blocked(): string | undefined {
    return this.#link?.engine.blocked;
  }

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

  /** What was sent and received since the connection was opened. */
  get counters(): EngineCounters | undefined {
    return this.#link?.engine.counters;
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#link?.engine.outputSize ?? 0;
  }

  /** How many channels are open, or about to be. */
  get channelCount(): number {
    return this.#channels.reduce((count, channel) => (channel === undefined ? count : count + 1), 0);
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
    requirePositive("maxUnconfirmed", maxUnconfirmed);
    requirePositive("maxUnconfirmedBytes", maxUnconfirmedBytes);
    const { signal, confirm = true } = options;
    const window = { messages: maxUnconfirmed, bytes: maxUnconfirmedBytes };
    const core = await this.#openChannel({ signal }, window);
    try {
      const publisher = new Publisher(core, options);
      if (confirm) await core.call("confirm.select", {}, signal);
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
      if (handler === undefined) return await consumeByIterating(core, options, host);
      return await consumeWithHandler(core, options, handler, host);
    } catch (error) {
      void core.close({});
      throw error;
    }
  }

  // The connection itself

  /**
   * Gives the server a new secret, such as a fresh OAuth 2 token, before the old one expires. Several calls may wait.
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
    try {
      if (typeof newSecret !== "string" && !isBytes(newSecret)) {
        throw new UsageError("INVALID_ARGUMENT", "newSecret is a string or a Uint8Array");
      }
      const secret = typeof newSecret === "string" ? encodeText(newSecret) : newSecret;
      const request = link.engine.updateSecret(secret, reason);
      link.touch();
      return this.#replies.expect(request, { signal, value: () => {} });
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /**
   * Closes the connection, and its channels with it. What was handed over before is sent; calls that wait for an answer
   * are rejected. May be called twice, while the connection is blocked, and when it is over.
   *
   * @returns a promise that resolves when the transport is closed.
   * @throws UsageError INVALID_ARGUMENT when the farewell cannot be sent.
   */
  close({ timeout, ...farewell }: CloseOptions = {}): Promise<void> {
    if (!this.#closing && this.#end === undefined) {
      try {
        this.#link?.endTurnEarly();
        this.#link?.engine.close(farewell);
      } catch (error) {
        return Promise.reject(error as Error);
      }
      this.#closing = true;
      this.#link?.touch();
      if (timeout !== undefined) this.#deadlines.add(timeout, { expire: () => this.#link?.abort() });
    }
    return this.#over.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // Inside

  async #openChannel(
    { number, signal }: CallerOptions & { readonly number?: number | undefined },
    window: PublishWindow = noWindow,
  ): Promise<ChannelCore> {
    const link = this.#usableLink;
    if (link === undefined) return this.#refusedCall();
    if (signal?.aborted === true) throw new AbortError(signal.reason, "not-sent");
    const host: ChannelHost = {
      link,
      replies: this.#replies,
      deadlines: this.#deadlines,
      report: (error) => this.#report(error),
    };
    const core = new ChannelCore(host, link.engine.openChannel(number), window);
    this.#channels[core.number] = core;
    link.touch();
    if (signal === undefined) {
      await core.opened;
      return core;
    }
    const aborted = new Future<never>();
    const stopListening = onAbort(signal, () => {
      void core.close({});
      aborted.fail(() => new AbortError(signal.reason, "unknown"));
    });
    try {
      await Promise.race([core.opened, aborted.promise]);
      return core;
    } finally {
      stopListening();
    }
  }

  get #usableLink(): Link | undefined {
    return this.state === "open" ? this.#link : undefined;
  }

  #refusedCall(): Promise<never> {
    const end = this.#end ?? new ConnectionError("CONNECTION_CLOSED", "The connection was closed by the client");
    return rejection(() => endedWith(end, "not-sent"));
  }

  readonly #owner: LinkOwner = {
    handle: (event) => this.#handle(event),
    expectsAnswers: () => this.#expectsAnswers(),
    ended: () => this.#ended(),
  };

  #handle(event: ConnectionEvent): void {
    switch (event.type) {
      case "reply":
      case "basic.get-ok":
        return this.#replies.answer(event);
      case "connection.blocked":
        return this.#listeners.emit("blocked", { reason: event.reason });
      case "connection.unblocked":
        this.#makeUseOfRoom();
        return this.#listeners.emit("unblocked", undefined);
      case "writable":
        return this.#makeUseOfRoom();
      case "channel-closed": {
        const channel = this.#channels[event.channel];
        this.#channels[event.channel] = undefined;
        return channel?.ended(event);
      }
      case "closed":
        return this.#endsWith(event.error, event.requests);
      case "open":
        return;
      default:
        this.#channels[event.channel]?.handle(event);
    }
  }

  #makeUseOfRoom(): void {
    for (const channel of this.#channels) channel?.publishing.makeUseOfRoom();
  }

  #endsWith(error: ConnectionError | undefined, requests: Parameters<Replies["end"]>[0]): void {
    const end = error ?? new ConnectionError("CONNECTION_CLOSED", "The connection was closed by the client");
    this.#end = end;
    this.#deadlines.stop();
    this.#replies.end(requests, end);
    this.#closed.resolve(error);
    this.#listeners.emit("closed", { error });
  }

  /** The transport is closed. The engine has said its last word, unless it has a bug: nobody may hang for that either. */
  #ended(): void {
    if (this.#end === undefined) {
      const error = new ConnectionError("CONNECTION_LOST", "The connection was lost");
      for (const [number, channel] of this.#channels.entries()) {
        channel?.ended({ type: "channel-closed", channel: number, error, requests: [] });
      }
      this.#endsWith(error, []);
    }
    this.#over.resolve();
  }

  #expectsAnswers(): boolean {
    return this.#replies.size > 0 || this.#channels.some((channel) => (channel?.publishing.unconfirmed ?? 0) > 0);
  }

  #report(error: unknown): void {
    // A listener for failures that fails itself is not told so, or it would never end.
    if (this.#reporting) return;
    this.#reporting = true;
    this.#listeners.emit("callback-error", { error });
    this.#reporting = false;
  }
}

function requirePositive(name: string, value: number): void {
  if (typeof value === "number" && value > 0) return;
  throw new UsageError("INVALID_ARGUMENT", `${name} is a positive number, not ${String(value)}`);
}
