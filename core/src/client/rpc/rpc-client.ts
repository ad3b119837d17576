/** The caller's side of remote calls: requests out, replies in, and every call comes to its end. */

import { ChannelError } from "../../engine/errors.ts";
import type { Millis } from "../../engine/config.ts";
import type { Publication } from "../../engine/frame-writer.ts";
import { type Outcome, UsageError } from "../../wire/errors.ts";
import type { BasicProperties } from "../../wire/properties.ts";
import {
  checkCodec,
  type Codec,
  decodeMessage,
  type EncodedMessage,
  encodeMessage,
  type MaybePromise,
} from "../codecs/codec.ts";
import { type Connection, type ConnectionInternals, internalsOf } from "../connection.ts";
import type { ConsumerEnd } from "../consumer-options.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import { AbortError, type EndError, endedWith } from "../errors.ts";
import { Future, isThenable, rejection } from "../futures.ts";
import { checkMessageNames, MessageNames } from "../message-names.ts";
import { illegal, patience } from "../option-checks.ts";
import { checkProperties } from "../outgoing-properties.ts";
import { PassingMap } from "../passing-map.ts";
import { ReplyChannel, type ReplyChannelOptions } from "./reply-channel.ts";
import { RpcCall, type RpcCaller } from "./rpc-call.ts";
import { errorIn, isError } from "./rpc-error.ts";
import {
  defaultCallTimeout,
  defaultDrain,
  defaultMaxCalls,
  longestTimeToLive,
  type RpcCallOptions,
  rpcCallNames,
  type RpcClientOptions,
  rpcClientNames,
} from "./rpc-options.ts";

/** A request before it is known where its reply is to go. */
interface RpcMessage {
  readonly body: Uint8Array;
  readonly properties: BasicProperties | undefined;
}

type RequestProperties = RpcCallOptions["properties"];

const noOptions: RpcCallOptions = {};

/** What a server answered. */
export interface RpcReply<T> extends EncodedMessage {
  /** The decoded body; the body itself where replies are bytes. */
  readonly value: T;
}

/**
 * Opens a client for remote calls, with a channel of its own.
 *
 * ```ts
 * const client = await openRpcClient(connection, { routingKey: "sums", requestCodec: jsonCodec<number[]>(), replyCodec: jsonCodec<number>() });
 * const { value } = await client.call([1, 2, 3], { timeout: 5_000 });
 * ```
 *
 * @throws UsageError for options that make no sense; ChannelError when the server refuses the queue for replies;
 * ConnectionError; AbortError.
 */
export async function openRpcClient<Request = Uint8Array, Reply = Uint8Array>(
  connection: Connection,
  options: RpcClientOptions<Request, Reply> = {},
): Promise<RpcClient<Request, Reply>> {
  const internals = internalsOf(connection);
  checkMessageNames(options, rpcClientNames);
  checkTimeout(options.timeout);
  const { maxCalls, requestCodec, replyCodec, replyTo = "direct" } = options;
  if (maxCalls !== undefined && !(maxCalls > 0)) throw illegal("maxCalls", "a positive number", maxCalls);
  if (requestCodec !== undefined) checkCodec(requestCodec, "requestCodec");
  if (replyCodec !== undefined) checkCodec(replyCodec, "replyCodec");
  if (replyTo !== "direct" && (typeof replyTo !== "object" || replyTo === null)) {
    throw illegal("replyTo", '"direct" or the options of a queue', replyTo);
  }
  const client = new RpcClient<Request, Reply>(connection, internals, options);
  try {
    await client.opened(options.signal);
    return client;
  } catch (error) {
    void client.close({ drain: 0 });
    throw error;
  }
}

/**
 * Calls servers. Many calls may be under way at a time; replies find theirs whatever their order.
 *
 * The client outlives connections and channels. Calls that are made while there is no connection wait for it. What is
 * under way when the connection is lost rejects with the outcome `"unknown"`, since its reply has nowhere to go, unless
 * replies come by a queue that survives.
 */
export class RpcClient<Request = Uint8Array, Reply = Uint8Array> {
  readonly #connection: Connection;
  readonly #internals: ConnectionInternals;
  readonly #options: RpcClientOptions<Request, Reply>;
  readonly #calls = new PassingMap<string, RpcCall<RpcReply<Reply>>>();
  readonly #caller: RpcCaller<RpcReply<Reply>> = { ended: (call) => this.#ended(call) };
  readonly #stopListening: () => void;
  /** Tells this client's calls from those of another one that reads the same queue later. */
  readonly #prefix: string;
  readonly #callNames = new MessageNames(rpcCallNames);
  #made = 0;
  #lateReplies = 0;
  #replyChannel: Promise<ReplyChannel> | undefined;
  /** The same, while it is open. */
  #openReplyChannel: ReplyChannel | undefined;
  /** Calls whose request waits for its codec or for the channel. Those made meanwhile keep behind them. */
  #sendingLater = 0;
  #closing: Promise<void> | undefined;
  #idle: Future<void> | undefined;

  /** `openRpcClient` is the way in. */
  constructor(connection: Connection, internals: ConnectionInternals, options: RpcClientOptions<Request, Reply>) {
    this.#connection = connection;
    this.#internals = internals;
    this.#options = options;
    this.#prefix = `${randomWord(internals)}${randomWord(internals)}.`;
    this.#stopListening = connection.on("disconnected", ({ cause, willRecover }) => {
      if (willRecover) this.#lost(cause);
    });
  }

  /** Calls that wait for their reply. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Replies that nobody waited for any more: their call had timed out or failed, or was answered before. */
  get lateReplies(): number {
    return this.#lateReplies;
  }

  /**
   * Sends a request, and resolves with the reply.
   *
   * @throws RpcError when the server answered with an error; UnroutableError when there is no such server; TimeoutError and
   * AbortError; NackError; CodecError for what cannot be encoded or decoded; UsageError for what cannot be sent, and
   * LIMIT_REACHED when `maxCalls` wait already; NotConnectedError; ChannelError or ConnectionError when the channel ends.
   * The `outcome` says whether the server may have acted.
   */
  call(value: Request, options: RpcCallOptions = noOptions): Promise<RpcReply<Reply>> {
    const { signal, timeout = this.#options.timeout ?? defaultCallTimeout } = options;
    try {
      this.#checkCall(options);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    if (this.#closing !== undefined) return rejection(() => closedClient("not-sent"));
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    this.#made += 1;
    const call = new RpcCall<RpcReply<Reply>>(this.#prefix + String(this.#made), this.#caller);
    // Before the request leaves: no reply comes too early.
    this.#calls.set(call.correlationId, call);
    call.limit(this.#internals.deadlines, timeout, signal);
    try {
      const request = this.#encode(value, options);
      const channel = this.#openReplyChannel;
      if (channel === undefined || this.#sendingLater > 0 || isThenable(request)) {
        void this.#sendLater(call, request, options, timeout);
      } else {
        call.send(channel, this.#addressed(request, call, channel, options, timeout));
      }
    } catch (error) {
      call.notSent(error);
    }
    return call.future.promise;
  }

  /**
   * Waits for calls that are under way, and closes the channel. Calls that are not answered in time reject.
   *
   * @param options - `drain`: how long to wait for replies, in milliseconds; default 30 s.
   */
  async close({ drain = defaultDrain }: { readonly drain?: Millis | undefined } = {}): Promise<void> {
    patience(drain, "drain");
    this.#closing ??= this.#close(drain);
    return this.#closing;
  }

  /** Closes the client, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Resolves when there is a channel for calls. */
  async opened(signal: AbortSignal | undefined): Promise<void> {
    await this.#channel(signal);
  }

  // Requests

  #checkCall(options: RpcCallOptions): void {
    this.#callNames.check(options);
    checkTimeout(options.timeout);
    const { maxCalls = defaultMaxCalls } = this.#options;
    if (this.#calls.size >= maxCalls) {
      throw new UsageError("LIMIT_REACHED", `${this.#calls.size} calls wait for their reply already`);
    }
  }

  /** Sends a request that has to wait for its codec or for a channel, or that is behind one that has. */
  async #sendLater(
    call: RpcCall<RpcReply<Reply>>,
    encoding: MaybePromise<RpcMessage>,
    options: RpcCallOptions,
    timeout: Millis,
  ): Promise<void> {
    this.#sendingLater += 1;
    try {
      const request = await encoding;
      // A call that is over needs no channel: nobody would close one that is opened for it behind the client's end.
      if (call.over) return;
      const channel = await this.#channel();
      if (!call.over) call.send(channel, this.#addressed(request, call, channel, options, timeout));
    } catch (error) {
      call.notSent(error);
    } finally {
      this.#sendingLater -= 1;
    }
  }

  #encode(value: Request, options: RpcCallOptions): MaybePromise<RpcMessage> {
    const { requestCodec } = this.#options;
    const properties = joined(this.#options.properties, options.properties);
    checkProperties(properties);
    if (requestCodec !== undefined) return encodeMessage(requestCodec, value, properties);
    // Without a codec a request is bytes, and the engine refuses anything else.
    return { body: value as Uint8Array, properties };
  }

  #addressed(
    { body, properties }: RpcMessage,
    { correlationId }: RpcCall<RpcReply<Reply>>,
    channel: ReplyChannel,
    options: RpcCallOptions,
    timeout: Millis,
  ): Publication {
    const { exchange = this.#options.exchange ?? "", routingKey = this.#options.routingKey ?? "" } = options;
    return {
      exchange,
      routingKey,
      mandatory: true,
      properties: requestProperties(properties, correlationId, channel, timeout),
      body,
    };
  }

  // Replies

  #replied(delivery: ConsumerDelivery): void {
    const { properties } = delivery;
    const call = this.#calls.get(properties.correlationId ?? "");
    if (call === undefined) {
      this.#lateReplies += 1;
      return;
    }
    // The error is made where its stack names whoever awaits the call.
    const { replyCodec } = this.#options;
    const { body } = delivery;
    if (isError(properties)) call.answered(rejection(() => errorIn(properties)));
    else if (replyCodec === undefined) call.answered({ value: body as Reply, body, properties });
    else call.answered(decodeReply(replyCodec, { body, properties }));
  }

  // The channel

  /** The channel for calls; another one when the last one is over. */
  #channel(signal?: AbortSignal): Promise<ReplyChannel> {
    this.#replyChannel ??= this.#openChannel({
      replyTo: this.#options.replyTo ?? "direct",
      signal,
      replied: (delivery) => this.#replied(delivery),
    });
    return this.#replyChannel;
  }

  async #openChannel(options: ReplyChannelOptions): Promise<ReplyChannel> {
    try {
      const channel = await ReplyChannel.open(this.#connection, options);
      this.#openReplyChannel = channel;
      void channel.ended.then((end) => this.#channelEnded(channel, end));
      return channel;
    } catch (error) {
      this.#replyChannel = undefined;
      throw error;
    }
  }

  #channelEnded(channel: ReplyChannel, end: ConsumerEnd): void {
    this.#replyChannel = undefined;
    this.#openReplyChannel = undefined;
    // Of a channel that is gone, requests that are not confirmed are told by their publish how far they came.
    const isGone = end.type === "lost" || end.type === "closed";
    if (!isGone) void channel.close();
    for (const call of [...this.#calls.values()]) {
      if (call.replyChannel === channel && (call.isConfirmed || !isGone))
        call.giveUp((outcome) => errorOf(end, outcome));
    }
  }

  /** The connection was lost. What is not confirmed is told by its publish, and may even be published again. */
  #lost(cause: EndError): void {
    for (const call of [...this.#calls.values()]) {
      if (call.isConfirmed && call.replyChannel?.survivesLoss === false) {
        call.fail((outcome) => endedWith(cause, outcome));
      }
    }
  }

  // The end

  #ended(call: RpcCall<RpcReply<Reply>>): void {
    this.#calls.delete(call.correlationId);
    if (this.#calls.size === 0) this.#idle?.resolve();
  }

  async #close(drain: Millis): Promise<void> {
    if (this.#calls.size > 0) {
      const idle = new Future<void>();
      this.#idle = idle;
      await this.#internals.deadlines.within(idle.promise, drain);
    }
    for (const call of [...this.#calls.values()]) call.giveUp(closedClient);
    this.#stopListening();
    const channel = await this.#replyChannel?.catch(() => undefined);
    await channel?.close();
  }
}

/** The properties of the client with those of a call; what the call says wins. */
function joined(ofClient: RequestProperties, ofCall: RequestProperties): RequestProperties {
  if (ofClient === undefined) return ofCall;
  return ofCall === undefined ? ofClient : { ...ofClient, ...ofCall };
}

/** The properties of a request. Where the server names the queue for replies, its name is that of when the request leaves. */
function requestProperties(
  given: BasicProperties | undefined,
  correlationId: string,
  channel: ReplyChannel,
  timeout: Millis,
): BasicProperties {
  const expiration = timeout <= longestTimeToLive ? String(Math.ceil(timeout)) : undefined;
  if (!channel.isRenamed) {
    const replyTo = channel.address;
    return given === undefined
      ? { correlationId, replyTo, expiration }
      : { ...given, correlationId, replyTo, expiration };
  }
  return {
    ...given,
    correlationId,
    expiration,
    get replyTo(): string {
      return channel.address;
    },
  };
}

async function decodeReply<T>(codec: Codec<T>, { body, properties }: EncodedMessage): Promise<RpcReply<T>> {
  return { value: await decodeMessage(codec, { body, properties }), body, properties };
}

function checkTimeout(timeout: Millis | undefined): void {
  if (timeout === undefined || (typeof timeout === "number" && timeout >= 0)) return;
  throw illegal("timeout", "a number of milliseconds, 0 or more", timeout);
}

/** Calls that were under way when no more replies came. */
function errorOf(end: ConsumerEnd, outcome: Outcome): Error {
  switch (end.type) {
    case "lost":
      return endedWith(end.error, outcome);
    case "not-recovered":
      return repliesEnded(outcome, end.error);
    case "cancelled-by-server":
      return repliesEnded(outcome);
    default:
      return closedClient(outcome);
  }
}

function repliesEnded(outcome: Outcome, cause?: unknown): ChannelError {
  return new ChannelError("CHANNEL_CLOSED", "The consumer of replies was cancelled", undefined, { outcome, cause });
}

function closedClient(outcome: Outcome): ChannelError {
  return new ChannelError("CHANNEL_CLOSED", "The channel of the RPC client was closed", undefined, { outcome });
}

/** Four letters and digits. Identifiers that are short are cheap to read. */
function randomWord({ io }: ConnectionInternals): string {
  return Math.floor(io.random() * 36 ** 4)
    .toString(36)
    .padStart(4, "0");
}
