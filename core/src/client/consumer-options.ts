/** What a consumer is told, and how it ends. */

import type { ConsumerArguments } from "./arguments.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import type { ConsumerRecoveryError, EndError } from "./errors.ts";

/** Unacknowledged messages that a consumer with acknowledgements may have, unless it is told. */
export const defaultPrefetch = 256;

/** Handlers that run at a time where no prefetch says it. */
export const defaultConcurrency = 256;

/** Options of a consumer. */
export interface ConsumeOptions {
  /** Empty: the queue that was declared last on this channel. */
  readonly queue: string;
  /** A name for the consumer, unique on its channel. Default: a new one. */
  readonly consumerTag?: string | undefined;
  /** The server settles each message as it sends it: fast, and a message is lost with the connection. Default false. */
  readonly noAck?: boolean | undefined;
  /** Be the only consumer of the queue, or fail with 403. Default false. */
  readonly exclusive?: boolean | undefined;
  /** Not supported by RabbitMQ, which ignores it. */
  readonly noLocal?: boolean | undefined;
  /** Arguments for RabbitMQ, such as `{ "x-priority": 10 }` or `{ "x-stream-offset": "first" }`. */
  readonly arguments?: ConsumerArguments | undefined;
  /** Do not wait for the server's answer: a failure closes the channel. Default false. */
  readonly noWait?: boolean | undefined;
  /**
   * Messages that the server may send ahead of their settling, 0 for no limit. Default: what `basicQos` set on the
   * channel, else 256. Not with `noAck`, which knows no limit.
   */
  readonly prefetch?: number | undefined;
  /**
   * Where a consumer of a stream goes on after an outage: behind the message that was `"handed-out"` last, the default, or
   * behind the last one of those that are all `"acknowledged"`, so that what a handler had not done comes again. That it is
   * a stream is known from `"x-stream-offset"` in `arguments`, or from its declaration on this connection.
   */
  readonly resumeBehind?: "handed-out" | "acknowledged" | undefined;
  /** Gives up waiting for the server's answer. A consumer that came about all the same is cancelled. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of a consumer with a handler. */
export interface HandlerOptions extends ConsumeOptions {
  /** Handlers that run at a time. Default: `prefetch`, or 256 where that sets no limit. */
  readonly concurrency?: number | undefined;
  /**
   * `"auto"`, the default: a message is acknowledged when its handler returns, and refused when it throws, unless the
   * handler settled it itself. `"manual"`: the handler settles.
   */
  readonly settle?: "auto" | "manual" | undefined;
  /**
   * The body is lent for the length of the handler's call: a large one is not allocated and copied for each message. It
   * must not be used once the handler has returned or, in an async one, awaited anything; copy what is to be kept
   * (`body.slice()`), and never transfer its `buffer`. After the call `delivery.body` throws a UsageError ILLEGAL_STATE,
   * but a variable that still holds the bytes sees those of other messages. Default false: the body is the handler's for
   * good.
   */
  readonly lendBody?: boolean | undefined;
  /**
   * Whether a message goes back to its queue when its handler throws; otherwise the queue's dead-letter exchange gets
   * it, or it is gone. Default true: nothing is lost, but a message that always fails comes back for ever, unless the
   * queue has a delivery limit.
   */
  readonly requeue?: boolean | ((error: unknown, delivery: ConsumerDelivery) => boolean) | undefined;
}

/** Takes one message. The message is handled when the function returns, or when its promise is fulfilled. */
export type DeliveryHandler = (delivery: ConsumerDelivery) => unknown;

/** Why a consumer gets no more messages. */
export type ConsumerEnd =
  /** `cancel`, `close`, or the end of a loop over it. */
  | { readonly type: "cancelled" }
  /** The server cancelled it: the queue was deleted, or its node is gone. */
  | { readonly type: "cancelled-by-server" }
  /** Its channel was closed by this client. */
  | { readonly type: "closed" }
  /** Its channel, or the connection, ended. */
  | { readonly type: "lost"; readonly error: EndError }
  /** It could not be started again after an outage; the error's `cause` tells why. */
  | { readonly type: "not-recovered"; readonly error: ConsumerRecoveryError };
