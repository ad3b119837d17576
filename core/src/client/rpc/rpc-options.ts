/** What RPC clients and servers are told. */

import type { Millis } from "../../engine/config.ts";
import type { ConsumerArguments } from "../arguments.ts";
import type { CallerOptions, QueueDeclareOptions } from "../channel-options.ts";
import type { Codec } from "../codecs/codec.ts";
import type { Names } from "../option-checks.ts";
import type { OutgoingProperties } from "../outgoing-properties.ts";
import type { RpcError } from "./rpc-error.ts";

/** How long a call may take, unless it is told. */
export const defaultCallTimeout: Millis = 30_000;

/** Calls of one client that wait for their reply, unless it is told. */
export const defaultMaxCalls = 10_000;

/** Requests that a server handles at a time, unless it is told. */
export const defaultServerConcurrency = 16;

/** How long `close` waits for what is under way, unless it is told. */
export const defaultDrain: Millis = 30_000;

/** The longest time to live that RabbitMQ takes (rabbit_misc, ten years): longer calls have none. */
export const longestTimeToLive: Millis = 315_360_000_000;

/** The options of a call. */
export const rpcCallNames: Names<RpcCallOptions> = {
  exchange: true,
  routingKey: true,
  properties: true,
  timeout: true,
  signal: true,
};

export const rpcClientNames: Names<RpcClientOptions<unknown, unknown>> = {
  ...rpcCallNames,
  replyTo: true,
  maxCalls: true,
  requestCodec: true,
  replyCodec: true,
};

export const rpcServerNames: Names<RpcServerOptions<unknown, unknown>> = {
  queue: true,
  concurrency: true,
  prefetch: true,
  consumerTag: true,
  exclusive: true,
  arguments: true,
  properties: true,
  requestCodec: true,
  replyCodec: true,
  describeError: true,
  signal: true,
};

/** Where requests go, and what they carry. What a call says itself wins over what the client was told. */
interface Addressing {
  /** Default: the default exchange, which routes to the queue named by the routing key. */
  readonly exchange?: string | undefined;
  /** Mostly the name of the server's queue. Default empty. */
  readonly routingKey?: string | undefined;
  /** Properties of requests. `correlationId`, `replyTo` and `expiration` are the client's own. */
  readonly properties?: Omit<OutgoingProperties, "correlationId" | "replyTo" | "expiration"> | undefined;
  /**
   * How long a call may take, waiting for a connection included: it rejects with `TimeoutError` then. A request that
   * has not reached a server by that time is dropped by the broker. Default 30 s; `Infinity` for as long as it takes.
   */
  readonly timeout?: Millis | undefined;
}

/** The queue that replies come by. */
export type ReplyQueueOptions = Pick<
  QueueDeclareOptions,
  "queue" | "durable" | "exclusive" | "autoDelete" | "arguments"
>;

/** Options of an RPC client. */
export interface RpcClientOptions<Request, Reply> extends Addressing, CallerOptions {
  /**
   * How replies come. `"direct"`, the default: straight to the client's channel, without a queue (RabbitMQ's direct
   * reply-to). Otherwise by a queue that the client declares like this: `{ exclusive: true }` for one that the server
   * names, and that goes with the connection. Replies in a named queue that is neither exclusive nor deleted
   * automatically survive the loss of the connection; the queue must be this client's alone, which it takes care of.
   */
  readonly replyTo?: "direct" | ReplyQueueOptions | undefined;
  /** Calls that may wait for their reply at a time; one more is refused. Default 10 000. */
  readonly maxCalls?: number | undefined;
  /** Default: requests are bytes. */
  readonly requestCodec?: Codec<Request> | undefined;
  /** Default: replies are bytes. */
  readonly replyCodec?: Codec<Reply> | undefined;
}

/** Options of one call. */
export interface RpcCallOptions extends Addressing, CallerOptions {}

/** Options of an RPC server. */
export interface RpcServerOptions<Request, Reply> extends CallerOptions {
  /** Where requests come from. */
  readonly queue: string;
  /** Requests that are handled at a time. Default 16. */
  readonly concurrency?: number | undefined;
  /** Requests that the broker may send ahead of their replies. Default: as many as are handled at a time. */
  readonly prefetch?: number | undefined;
  readonly consumerTag?: string | undefined;
  /** Be the only consumer of the queue, or fail with 403. Default false. */
  readonly exclusive?: boolean | undefined;
  /** Arguments of the consumer, such as `{ "x-priority": 10 }`. */
  readonly arguments?: ConsumerArguments | undefined;
  /** Properties of all replies. `correlationId` is the request's. */
  readonly properties?: Omit<OutgoingProperties, "correlationId"> | undefined;
  /** Default: requests are bytes. */
  readonly requestCodec?: Codec<Request> | undefined;
  /** Default: replies are bytes. */
  readonly replyCodec?: Codec<Reply> | undefined;
  /**
   * What a caller is told of an error that the handler threw, where that is no `RpcError`. Default, and where it gives
   * nothing: `INTERNAL_ERROR` without details, and the error is reported as the connection's `callback-error`.
   */
  readonly describeError?: ((error: unknown) => RpcError | undefined) | undefined;
}
