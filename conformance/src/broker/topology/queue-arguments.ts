/** The arguments of queues: which type of queue knows which, what values they take, and what they mean. */

import {
  boolValue,
  type Field,
  type Fields,
  integerValue,
  isInteger,
  lookup,
  printValue,
  textValue,
} from "../codec/fields.ts";
import { describe, Refusal } from "../failures.ts";
import type { Millis } from "../lib/timers.ts";
import type { Profile } from "../profile.ts";

/** The types of queues. */
const queueTypes = ["classic", "quorum", "stream"] as const;
export type QueueType = (typeof queueTypes)[number];

/** RabbitMQ's names of the types, as its errors say them. */
const moduleNames: Readonly<Record<QueueType, string>> = {
  classic: "rabbit_classic_queue",
  quorum: "rabbit_quorum_queue",
  stream: "rabbit_stream_queue",
};

/** The longest time to live: ten years. */
export const longestTimeToLive: Millis = 315_360_000_000;

/** The arguments that each type of queue knows, in the order in which RabbitMQ compares them. */
const known: Readonly<Record<QueueType, readonly string[]>> = {
  classic: [
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
  ],
  quorum: [
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-type",
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-message-ttl",
    "x-queue-leader-locator",
  ],
  stream: [
    "x-max-length-bytes",
    "x-queue-type",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
    "x-queue-leader-locator",
  ],
};

/** How a classic queue is placed, where its mirrors are not placed by another argument alone. */
const classicLocator = "x-queue-leader-locator";
/** Neither checked nor compared; other types refuse it. */
const masterLocator = "x-queue-master-locator";

/** The arguments of consumers that each type of queue knows. */
const consumerArguments: Readonly<Record<QueueType, readonly string[]>> = {
  classic: ["x-priority", "x-credit"],
  quorum: ["x-priority", "x-credit"],
  stream: ["x-stream-offset", "x-credit", "x-stream-filter", "x-stream-match-unfiltered"],
};

/** A consumer of a mirrored classic queue that wants to be cancelled when another node takes over. */
const cancelOnFailover = "x-cancel-on-ha-failover";
const streamFilters: ReadonlySet<string> = new Set(["x-stream-filter", "x-stream-match-unfiltered"]);

/** Why a value is refused, as Erlang prints the reason; `undefined` when it is fine. */
type Check = (field: Field, all: Fields) => string | undefined;

/** The arguments that are checked, in the order of the checks. */
const checks: readonly (readonly [string, Check])[] = [
  ["x-expires", (field) => integer(field) ?? (integerValue(field) === 0n ? "{value_zero,0}" : expiry(field))],
  ["x-message-ttl", (field) => integer(field) ?? expiry(field)],
  ["x-dead-letter-exchange", text],
  ["x-dead-letter-routing-key", deadLetterKey],
  ["x-dead-letter-strategy", oneOf(["at-most-once", "at-least-once"], "invalid_dlx_strategy")],
  ["x-max-length", nonNegative],
  ["x-max-length-bytes", nonNegative],
  ["x-max-in-memory-length", nonNegative],
  ["x-max-in-memory-bytes", nonNegative],
  ["x-max-priority", (field) => nonNegative(field) ?? atMost(field, 255n)],
  ["x-overflow", oneOf(["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")],
  ["x-queue-mode", (field) => named(field, ["default", "lazy"], "unsupported queue mode")],
  ["x-queue-version", queueVersion],
  ["x-single-active-consumer", (field) => (field.type === "bool" ? undefined : unacceptable(field))],
  ["x-queue-type", (field) => named(field, queueTypes, "unsupported queue type")],
  ["x-quorum-initial-group-size", positive],
  ["x-max-age", (field) => text(field) ?? (checkedInterval(field) === undefined ? "invalid_max_age" : undefined)],
  ["x-stream-max-segment-size-bytes", nonNegative],
  ["x-initial-cluster-size", positive],
  [
    "x-queue-leader-locator",
    oneOf(["client-local", "balanced", "random", "least-leaders"], "invalid_queue_locator_arg"),
  ],
];

/** What a message meets that would make a queue longer than allowed. */
export type Overflow = "drop-head" | "reject-publish" | "reject-publish-dlx";

/** What the arguments of a queue mean. `undefined`: not limited, or not wanted. */
export interface QueueSettings {
  readonly type: QueueType;
  readonly messageTtl: Millis | undefined;
  /** An unused queue is deleted after so long. */
  readonly expires: Millis | undefined;
  readonly maxLength: number | undefined;
  readonly maxLengthBytes: number | undefined;
  readonly overflow: Overflow;
  readonly deadLetterExchange: string | undefined;
  readonly deadLetterRoutingKey: string | undefined;
  readonly maxPriority: number | undefined;
  readonly singleActiveConsumer: boolean;
  /** Quorum: how often a message may be returned before it is dead-lettered. */
  readonly deliveryLimit: number | undefined;
  /** Stream: how long messages are kept. */
  readonly maxAge: Millis | undefined;
  /** Stream: what is dropped at once, in bytes. */
  readonly segmentSize: number;
}

const defaultSegmentSize = 500_000_000;
const largestSegment = 3_000_000_000n;
const smallestFilter = 16n;
const largestFilter = 255n;

/** The type that the arguments ask for. */
export function queueTypeOf(queueArguments: Fields): QueueType {
  const type = textValue(lookup(queueArguments, "x-queue-type"));
  return isQueueType(type) ? type : "classic";
}

/** The type by the name that RabbitMQ's errors give it. */
export function moduleNameOf(type: QueueType): string {
  return moduleNames[type];
}

/** The arguments whose values make two declarations of a queue differ. */
export function comparedArguments(type: QueueType, { mirrorsQueues }: Profile): readonly string[] {
  return type === "classic" && !mirrorsQueues ? [...known.classic, classicLocator] : known[type];
}

/**
 * Checks the arguments of a new queue.
 *
 * @throws Refusal PRECONDITION_FAILED
 */
export function checkQueueArguments(queueArguments: Fields, name: string, virtualHost: string, profile: Profile): void {
  const what = describe("queue", name, virtualHost);
  const complain = (argument: string, reason: string | undefined): void => {
    if (reason !== undefined)
      throw new Refusal("PRECONDITION_FAILED", `invalid arg '${argument}' for ${what}: ${reason}`);
  };
  const typeField = lookup(queueArguments, "x-queue-type");
  if (typeField !== undefined) complain("x-queue-type", named(typeField, queueTypes, "unsupported queue type"));
  const type = queueTypeOf(queueArguments);
  for (const [argument, check] of checks) {
    const field = lookup(queueArguments, argument);
    if (field !== undefined && knows(type, argument, profile)) complain(argument, check(field, queueArguments));
  }
  for (const { name: argument } of queueArguments) {
    if (knows(type, argument, profile) || !queueTypes.some((other) => knows(other, argument, profile))) continue;
    const ofType = `of queue type ${moduleNames[type]}`;
    throw new Refusal("PRECONDITION_FAILED", `invalid arg '${argument}' for ${what} ${ofType}`);
  }
  if (type === "stream") checkStreamSizes(queueArguments, profile);
}

function knows(type: QueueType, argument: string, profile: Profile): boolean {
  return comparedArguments(type, profile).includes(argument) || (type === "classic" && argument === masterLocator);
}

/** @throws Refusal PRECONDITION_FAILED or INTERNAL_ERROR */
function checkStreamSizes(queueArguments: Fields, profile: Profile): void {
  const segment = integerValue(lookup(queueArguments, "x-stream-max-segment-size-bytes"));
  if (segment !== undefined && segment > largestSegment) {
    throw new Refusal("PRECONDITION_FAILED", "Exceeded max value for x-stream-max-segment-size-bytes");
  }
  const filter = lookup(queueArguments, "x-stream-filter-size-bytes");
  if (!profile.filtersStreams || filter === undefined) return;
  const size = isInteger(filter) ? (integerValue(filter) as bigint) : 0n;
  if (size >= smallestFilter && size <= largestFilter) return;
  throw new Refusal("PRECONDITION_FAILED", "Invalid value for  x-stream-filter-size-bytes");
}

/**
 * Checks the arguments of a consumer.
 *
 * @throws Refusal PRECONDITION_FAILED
 */
export function checkConsumerArguments(
  given: Fields,
  type: QueueType,
  name: string,
  virtualHost: string,
  profile: Profile,
): void {
  const what = describe("queue", name, virtualHost);
  const complain = (argument: string, reason: string): never => {
    throw new Refusal("PRECONDITION_FAILED", `invalid arg '${argument}' for ${what}${reason}`);
  };
  for (const field of given) {
    if (!knowsOfConsumers(type, field.name, profile)) {
      if (!queueTypes.some((other) => knowsOfConsumers(other, field.name, profile))) continue;
      complain(field.name, ` of queue type ${moduleNames[type]}`);
    }
    const reason = consumerReason(field);
    if (reason !== undefined) complain(field.name, `: ${reason}`);
  }
}

function consumerReason(field: Field): string | undefined {
  if (field.name === "x-priority") return integer(field);
  return field.name === cancelOnFailover && field.type !== "bool" ? unacceptable(field) : undefined;
}

function knowsOfConsumers(type: QueueType, argument: string, { mirrorsQueues, filtersStreams }: Profile): boolean {
  if (argument === cancelOnFailover) return type === "classic" && mirrorsQueues;
  return consumerArguments[type].includes(argument) && (filtersStreams || !streamFilters.has(argument));
}

/** Reads arguments that were checked. */
export function readSettings(queueArguments: Fields, profile: Profile): QueueSettings {
  const type = queueTypeOf(queueArguments);
  const number = (name: string): number | undefined => {
    const value = integerValue(lookup(queueArguments, name));
    return value === undefined ? undefined : Number(value);
  };
  const limit = type === "quorum" ? (number("x-delivery-limit") ?? profile.deliveryLimit) : undefined;
  const overflow = textValue(lookup(queueArguments, "x-overflow")) as Overflow | undefined;
  return {
    type,
    messageTtl: number("x-message-ttl"),
    expires: number("x-expires"),
    maxLength: number("x-max-length"),
    maxLengthBytes: number("x-max-length-bytes"),
    // A quorum queue cannot dead-letter what it rejects; RabbitMQ logs that, and drops the head.
    overflow: type === "quorum" && overflow === "reject-publish-dlx" ? "drop-head" : (overflow ?? "drop-head"),
    deadLetterExchange: textValue(lookup(queueArguments, "x-dead-letter-exchange")),
    deadLetterRoutingKey: textValue(lookup(queueArguments, "x-dead-letter-routing-key")),
    maxPriority: number("x-max-priority"),
    singleActiveConsumer: boolValue(lookup(queueArguments, "x-single-active-consumer")) ?? false,
    deliveryLimit: limit === undefined || limit < 0 ? undefined : limit,
    maxAge: maxAge(lookup(queueArguments, "x-max-age")),
    segmentSize: number("x-stream-max-segment-size-bytes") ?? defaultSegmentSize,
  };
}

function isQueueType(type: string | undefined): type is QueueType {
  return (queueTypes as readonly (string | undefined)[]).includes(type);
}

function integer(field: Field): string | undefined {
  return isInteger(field) ? undefined : `"expected integer, got ${field.type}"`;
}

function nonNegative(field: Field): string | undefined {
  const reason = integer(field);
  if (reason !== undefined) return reason;
  const value = integerValue(field) as bigint;
  return value < 0n ? `{value_negative,${value}}` : undefined;
}

function positive(field: Field): string | undefined {
  return nonNegative(field) ?? (integerValue(field) === 0n ? "{value_zero,0}" : undefined);
}

function atMost(field: Field, greatest: bigint): string | undefined {
  const value = integerValue(field) as bigint;
  return value > greatest ? `{max_value_exceeded,${value}}` : undefined;
}

function expiry(field: Field): string | undefined {
  return expiryReason(integerValue(field) as bigint);
}

/** Why a time to live is refused. */
export function expiryReason(value: bigint): string | undefined {
  if (value < 0n) return `{value_negative,${value}}`;
  return value > BigInt(longestTimeToLive) ? `{value_too_large,${value}}` : undefined;
}

function text(field: Field): string | undefined {
  return field.type === "longstr" ? undefined : unacceptable(field);
}

function unacceptable(field: Field): string {
  return `{unacceptable_type,${field.type}}`;
}

function deadLetterKey(field: Field, all: Fields): string | undefined {
  const reason = text(field);
  if (reason !== undefined) return reason;
  return lookup(all, "x-dead-letter-exchange") === undefined ? "routing_key_but_no_dlx_defined" : undefined;
}

function oneOf(values: readonly string[], reason: string): Check {
  return (field) => text(field) ?? (values.includes(textValue(field) as string) ? undefined : reason);
}

function named(field: Field, values: readonly string[], reason: string): string | undefined {
  return (
    text(field) ?? (values.includes(textValue(field) as string) ? undefined : `"${reason} '${printValue(field)}'"`)
  );
}

function queueVersion(field: Field): string | undefined {
  const value = integerValue(field);
  return nonNegative(field) ?? (value === 1n || value === 2n ? undefined : `"unsupported queue version '${value}'"`);
}

const second: Millis = 1000;
const day = 24 * 3600 * second;
const units: Readonly<Record<string, Millis>> = {
  Y: 365 * day,
  M: 30 * day,
  D: day,
  h: 3600 * second,
  m: 60 * second,
  s: second,
};

/** `7D`: a number and a unit. `undefined` where there is none, or it is no age. */
function maxAge(field: Field | undefined): Millis | undefined {
  return parseInterval(textValue(field));
}

/**
 * A time such as `1h` or `7D`.
 *
 * @throws Refusal INTERNAL_ERROR when it does not even begin with a number: that crashes RabbitMQ's channel.
 */
export function checkedInterval(field: Field): Millis | undefined {
  const interval = textValue(field) ?? "";
  if (!/^\d/.test(interval)) throw new Refusal("INTERNAL_ERROR", "", { blames: "none" });
  return parseInterval(interval);
}

/** A time such as `1h` or `7D`. */
export function parseInterval(interval: string | undefined): Millis | undefined {
  const [, count, unit] = /^(\d+)([YMDhms])$/.exec(interval ?? "") ?? [];
  const milliseconds = Number(count) * (units[unit ?? ""] ?? 0);
  return milliseconds > 0 ? milliseconds : undefined;
}
