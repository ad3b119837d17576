/** What the methods of a blocking channel take: AMQP's fields, and how long to block. */

import type { ThreadPublishOptions } from "../threads/publish-item.ts";
import type { Millis } from "../engine/config.ts";
import type { FieldTable } from "../wire/field-values.ts";

/** What every call that blocks takes. */
export interface BlockingOptions {
  /**
   * How long the call may block; then it throws `TimeoutError`, whose `outcome` says whether it may still take effect.
   * Default: the connection's `timeout`.
   */
  readonly timeout?: Millis | undefined;
}

/** Options of a call of the promise client, for one that blocks. */
export type Blocking<Options> = Omit<Options, "signal"> & BlockingOptions;

/** A message, and how long to wait for what becomes of it. */
export type BlockingPublishOptions = Omit<ThreadPublishOptions, "signal" | "transfer">;

/** Options of a consumer. */
export interface BlockingConsumeOptions extends BlockingOptions {
  readonly queue: string;
  /** A name for the consumer, unique on its channel. Default: a new one. */
  readonly consumerTag?: string | undefined;
  /** The server settles each message as it sends it. Default false. */
  readonly noAck?: boolean | undefined;
  /** Be the only consumer of the queue, or fail with 403. Default false. */
  readonly exclusive?: boolean | undefined;
  /** Arguments for RabbitMQ, such as `{ "x-priority": 10 }`. */
  readonly arguments?: FieldTable | undefined;
  /** Messages that the server may send ahead of their settling, 0 for no limit. Default: what `basicQos` set, else 256. */
  readonly prefetch?: number | undefined;
}

/** Options of {@link BlockingChannel.consume}. */
export interface BlockingIterateOptions extends BlockingConsumeOptions {
  /**
   * After so long without a message the loop is given `undefined`, and goes on. Default: for ever. 0 gives what is
   * there, and `undefined` in between.
   */
  readonly inactivityTimeout?: Millis | undefined;
}
