/**
 * The arguments of queues, exchanges, bindings, consumers and messages that RabbitMQ documents. Anything else may be given as
 * well, and goes to the server as it is.
 *
 * What is documented is checked before anything is sent: RabbitMQ would close the channel for it, or the connection. Which
 * type of queue knows which argument depends on the server, and is left to it.
 */

import { UsageError } from "../wire/errors.ts";
import { type FieldTable, TypedValue } from "../wire/field-values.ts";
import { type Check, flag, illegal, isRecord, legal, oneOf, text } from "./option-checks.ts";

/** Arguments of `queueDeclare`. Which queue type knows which is in RabbitMQ's documentation; it refuses the others with 406. */
export interface QueueArguments extends FieldTable {
  /** Fixed when the queue is made. Default: the virtual host's, mostly `"classic"`. Plugins have others. */
  readonly "x-queue-type"?: "classic" | "quorum" | "stream" | (string & {}) | undefined;
  /** Milliseconds that a message may wait in the queue; 0 to 315 360 000 000 (ten years). */
  readonly "x-message-ttl"?: number | undefined;
  /** Milliseconds without use after which the queue is deleted; from 1. */
  readonly "x-expires"?: number | undefined;
  /** Ready messages that the queue holds. */
  readonly "x-max-length"?: number | undefined;
  /** Bytes of ready messages that the queue holds. For streams: of all messages. */
  readonly "x-max-length-bytes"?: number | bigint | undefined;
  /** What happens to messages beyond that. Default `"drop-head"`. Quorum queues have no `"reject-publish-dlx"`. */
  readonly "x-overflow"?: "drop-head" | "reject-publish" | "reject-publish-dlx" | undefined;
  /** Where messages go that were refused, expired, or dropped. Empty: the default exchange. */
  readonly "x-dead-letter-exchange"?: string | undefined;
  /** With this routing key in place of their own. Only with `x-dead-letter-exchange`. */
  readonly "x-dead-letter-routing-key"?: string | undefined;
  /** Quorum queues. `"at-least-once"` needs `x-overflow: "reject-publish"`. Default `"at-most-once"`. */
  readonly "x-dead-letter-strategy"?: "at-most-once" | "at-least-once" | undefined;
  /** Deliveries after which a quorum queue gives up on a message; -1 for never. RabbitMQ 4.0 and newer: 20. */
  readonly "x-delivery-limit"?: number | undefined;
  /** Classic queues: the highest priority of a message, up to 255; 10 is plenty. */
  readonly "x-max-priority"?: number | undefined;
  /** One consumer at a time gets messages; when it goes, another one does. Not for streams. */
  readonly "x-single-active-consumer"?: boolean | undefined;
  /** Streams: how long messages are kept, a number with one of `YMDhms`, such as `"7D"`. */
  readonly "x-max-age"?: string | undefined;
  /** Streams: bytes of a segment file. */
  readonly "x-stream-max-segment-size-bytes"?: number | undefined;
  /** Streams: bytes of the filter of a chunk, 16 to 255. RabbitMQ 3.13 and newer. */
  readonly "x-stream-filter-size-bytes"?: number | undefined;
  /** Streams: replicas when it is made. */
  readonly "x-initial-cluster-size"?: number | undefined;
  /** Quorum queues: replicas when it is made. */
  readonly "x-quorum-initial-group-size"?: number | undefined;
  /** Where the leader of a replicated queue is put. Old releases know more words. */
  readonly "x-queue-leader-locator"?: "client-local" | "balanced" | (string & {}) | undefined;
  /** Milliseconds that a delivery may wait for its acknowledgement. RabbitMQ 4.3 and newer, quorum queues. */
  readonly "x-consumer-timeout"?: number | undefined;
  /** Classic queues before RabbitMQ 3.12: `"lazy"` keeps messages on disk. Without effect since. */
  readonly "x-queue-mode"?: "default" | "lazy" | undefined;
  /** Classic queues: how they are stored. RabbitMQ 4.3 and newer know 2 only. */
  readonly "x-queue-version"?: 1 | 2 | undefined;
}

/** Arguments of `exchangeDeclare`. */
export interface ExchangeArguments extends FieldTable {
  /** Takes the messages that no binding matches. */
  readonly "alternate-exchange"?: string | undefined;
  /** Exchanges of the type `x-delayed-message` (a plugin): how they route. */
  readonly "x-delayed-type"?: string | undefined;
  /** Exchanges of the type `x-consistent-hash` (a plugin): the header that is hashed in place of the routing key. */
  readonly "hash-header"?: string | undefined;
  /** Exchanges of the type `x-consistent-hash` (a plugin): the property that is hashed in place of the routing key. */
  readonly "hash-property"?: "message_id" | "correlation_id" | "timestamp" | (string & {}) | undefined;
}

/** Arguments of `queueBind` and `exchangeBind`: for an exchange of the type `headers`, the headers to match. */
export interface BindingArguments extends FieldTable {
  /**
   * Exchanges of the type `headers`: whether all of the other arguments have to match, or one. Those that begin with
   * `x-` count only for the words with `-with-x`. Default `"all"`.
   */
  readonly "x-match"?: "all" | "any" | "all-with-x" | "any-with-x" | undefined;
}

/** Arguments of a consumer. */
export interface ConsumerArguments extends FieldTable {
  /** Consumers with a higher number get messages first, as long as they take more. Default 0. */
  readonly "x-priority"?: number | undefined;
  /**
   * Where to begin in a stream: at the first message that is kept, in the last chunk, with the next message (the default),
   * at an offset, at a time, or so long ago (a number with one of `YMDhms`, such as `"1h"`). Messages are stored in chunks:
   * some from before a time may come first.
   */
  readonly "x-stream-offset"?: "first" | "last" | "next" | (string & {}) | number | bigint | Date | undefined;
  /** Streams: only chunks with messages of these filter values. RabbitMQ 3.13 and newer. Others may come all the same. */
  readonly "x-stream-filter"?: string | readonly string[] | undefined;
  /** Streams: messages without a filter value as well. */
  readonly "x-stream-match-unfiltered"?: boolean | undefined;
  /** Milliseconds that a delivery may wait for its acknowledgement. */
  readonly "x-consumer-timeout"?: number | undefined;
  /** Classic mirrored queues, before RabbitMQ 4.0: end the consumer when the leader changes. */
  readonly "x-cancel-on-ha-failover"?: boolean | undefined;
}

/**
 * Headers of messages that RabbitMQ acts upon, such as `{ headers: { CC: ["audit"] } }`. What it adds itself is read by
 * `deathsOf`, `deliveryCountOf` and `streamOffsetOf`.
 */
export interface MessageHeaders extends FieldTable {
  /** More routing keys. RabbitMQ would close the channel for anything but an array (406). */
  readonly CC?: readonly string[] | undefined;
  /** More routing keys, which receivers do not see. */
  readonly BCC?: readonly string[] | undefined;
  /** What consumers of a stream can filter by. RabbitMQ 3.13 and newer. */
  readonly "x-stream-filter-value"?: string | undefined;
  /** Exchanges of the type `x-delayed-message` (a plugin): milliseconds to wait. */
  readonly "x-delay"?: number | undefined;
}

/** Ten years, in milliseconds: RabbitMQ's limit for times to live (rabbit_misc:check_expiry). */
export const longestTime = 315_360_000_000;

/** Most of RabbitMQ's numbers have no other limit than this. */
const most: number = Number.MAX_SAFE_INTEGER;

type ArgumentChecks = Readonly<Record<string, Check>>;

const queueChecks: ArgumentChecks = {
  "x-queue-type": text,
  "x-message-ttl": whole(0, longestTime),
  "x-expires": whole(1, longestTime),
  "x-max-length": whole(0, most),
  "x-max-length-bytes": whole(0, most),
  "x-overflow": oneOf("drop-head", "reject-publish", "reject-publish-dlx"),
  "x-dead-letter-exchange": text,
  "x-dead-letter-routing-key": text,
  "x-dead-letter-strategy": oneOf("at-most-once", "at-least-once"),
  "x-delivery-limit": whole(-1, most),
  "x-max-priority": whole(0, 255),
  "x-single-active-consumer": flag,
  "x-max-age": legal('a number and one of YMDhms, such as "7D"', isAge),
  "x-stream-max-segment-size-bytes": whole(1, most),
  "x-stream-filter-size-bytes": whole(16, 255),
  "x-initial-cluster-size": whole(1, most),
  "x-quorum-initial-group-size": whole(1, most),
  "x-queue-leader-locator": text,
  "x-consumer-timeout": whole(0, most),
  "x-queue-mode": oneOf("default", "lazy"),
  "x-queue-version": whole(1, 2),
};

const exchangeChecks: ArgumentChecks = { "alternate-exchange": text, "x-delayed-type": text };

const bindingChecks: ArgumentChecks = { "x-match": oneOf("all", "any", "all-with-x", "any-with-x") };

const consumerChecks: ArgumentChecks = {
  "x-priority": whole(-(2 ** 31), 2 ** 31 - 1),
  "x-stream-offset": streamOffset,
  "x-stream-filter": legal("a string, or an array of strings", (value) =>
    (Array.isArray(value) ? value : [value]).every((one) => typeof one === "string"),
  ),
  "x-stream-match-unfiltered": flag,
  "x-consumer-timeout": whole(0, most),
  "x-cancel-on-ha-failover": flag,
};

/** @throws UsageError INVALID_ARGUMENT for a documented argument with a value that it cannot have. */
export function checkQueueArguments(table: QueueArguments | undefined): void {
  checkArguments(table, queueChecks);
  // RabbitMQ: routing_key_but_no_dlx_defined.
  if (table?.["x-dead-letter-routing-key"] !== undefined && table["x-dead-letter-exchange"] === undefined) {
    throw new UsageError("INVALID_ARGUMENT", "x-dead-letter-routing-key means nothing without x-dead-letter-exchange");
  }
}

/** @throws UsageError as {@link checkQueueArguments}. */
export function checkExchangeArguments(table: ExchangeArguments | undefined): void {
  checkArguments(table, exchangeChecks);
}

/** @throws UsageError as {@link checkQueueArguments}. */
export function checkBindingArguments(table: BindingArguments | undefined): void {
  checkArguments(table, bindingChecks);
}

/** @throws UsageError as {@link checkQueueArguments}. */
export function checkConsumerArguments(table: ConsumerArguments | undefined): void {
  checkArguments(table, consumerChecks);
}

function checkArguments(table: FieldTable | undefined, checks: ArgumentChecks): void {
  if (table === undefined) return;
  if (!isRecord(table)) throw illegal("arguments", "an object", table);
  for (const [name, value] of Object.entries(table)) {
    if (value === undefined || !Object.hasOwn(checks, name)) continue;
    checks[name]?.(value instanceof TypedValue ? value.value : value, name);
  }
}

/* @__NO_SIDE_EFFECTS__ */
function whole(lowest: number, highest: number): Check {
  return legal(`an integer from ${lowest} to ${highest}`, (value) => isWhole(value, lowest, highest));
}

function isWhole(value: unknown, lowest: number, highest: number): boolean {
  const number = value as number | bigint;
  return (typeof value === "bigint" || Number.isInteger(value)) && number >= lowest && number <= highest;
}

/** A length of time in RabbitMQ's words. */
function isAge(value: unknown): boolean {
  return typeof value === "string" && /^\d+[YMDhms]$/.test(value);
}

function streamOffset(value: unknown, name: string): void {
  const isWord = value === "first" || value === "last" || value === "next" || isAge(value);
  const isPlace = isWord || isWhole(value, 0, Infinity);
  if (isPlace || (value instanceof Date && !Number.isNaN(value.getTime()))) return;
  throw illegal(name, '"first", "last", "next", an offset, a Date, or an age such as "1h"', value);
}
