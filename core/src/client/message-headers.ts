/**
 * What RabbitMQ writes into the headers of messages, in typed form. Headers come from whoever published, too, so nothing is
 * taken for granted: what is not as RabbitMQ writes it is passed over.
 */

import type { FieldTable, FieldValue } from "../wire/field-values.ts";
import type { BasicProperties } from "../wire/properties.ts";

/** A message with properties: a delivery, one that was got or returned. */
export interface WithProperties {
  readonly properties: BasicProperties;
}

/** Why a message was dead-lettered. Releases to come may know more. */
export type DeathReason = "rejected" | "expired" | "maxlen" | "delivery_limit" | (string & {});

/** How often, and why, a message was dead-lettered from one queue (an entry of `x-death`). */
export interface Death {
  readonly queue: string;
  readonly reason: DeathReason;
  /** How often from this queue for this reason. */
  readonly count: number;
  /** The exchange that the message was published to when it died first from there. */
  readonly exchange: string;
  readonly routingKeys: readonly string[];
  /** When it died first from there; to the second. */
  readonly time: Date | undefined;
  /** The `expiration` that the message had, which RabbitMQ takes away. */
  readonly originalExpiration: string | undefined;
}

/** Where and why a message was dead-lettered once. */
export interface DeathPlace {
  readonly queue: string;
  readonly reason: DeathReason;
  readonly exchange: string;
}

/**
 * How a message was dead-lettered, the latest first; empty when it was not. (`x-death`. A publisher can write it as well;
 * RabbitMQ 4.0 and newer start anew then.)
 */
export function deathsOf({ properties }: WithProperties): readonly Death[] {
  const entries = properties.headers?.["x-death"];
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry) => deathIn(entry) ?? []);
}

/** How often a message was dead-lettered: from any queue for any reason, or from that queue, or for that reason. */
export function deathCountOf(
  message: WithProperties,
  { queue, reason }: { readonly queue?: string | undefined; readonly reason?: DeathReason | undefined } = {},
): number {
  let count = 0;
  for (const death of deathsOf(message)) {
    if ((queue ?? death.queue) === death.queue && (reason ?? death.reason) === death.reason) count += death.count;
  }
  return count;
}

/** Where and why a message was dead-lettered first (`x-first-death-queue` and the like). */
export function firstDeathOf({ properties }: WithProperties): DeathPlace | undefined {
  return placeIn(properties.headers, "x-first-death-");
}

/** Where and why a message was dead-lettered last. RabbitMQ 3.13 and newer; of older ones the latest of `x-death`. */
export function lastDeathOf(message: WithProperties): DeathPlace | undefined {
  return placeIn(message.properties.headers, "x-last-death-") ?? deathsOf(message)[0];
}

/**
 * How often a quorum queue has tried before to deliver the message; 0 for the first time. (`x-delivery-count`. Other queues
 * do not count: see `redelivered`.)
 */
export function deliveryCountOf({ properties }: WithProperties): number {
  return countIn(properties.headers?.["x-delivery-count"]) ?? 0;
}

/** How often a quorum queue has handed the message out before, returns included. RabbitMQ 4.3 and newer, else 0. */
export function acquiredCountOf({ properties }: WithProperties): number {
  return countIn(properties.headers?.["x-acquired-count"]) ?? 0;
}

/** The place of a message in its stream; `undefined` for a message of another queue. */
export function streamOffsetOf({ properties }: WithProperties): number | bigint | undefined {
  const offset = properties.headers?.["x-stream-offset"];
  if (typeof offset === "bigint") return offset >= 0n ? offset : undefined;
  return countIn(offset);
}

/** The further routing keys that a message was published with, as receivers see them (`CC`; not `BCC`). */
export function ccOf({ properties }: WithProperties): readonly string[] {
  return textsIn(properties.headers?.["CC"]);
}

function deathIn(entry: FieldValue): Death | undefined {
  if (!isTable(entry)) return undefined;
  const { queue, reason, count, exchange, time } = entry;
  if (typeof queue !== "string" || typeof reason !== "string") return undefined;
  const expiration = entry["original-expiration"];
  return {
    queue,
    reason,
    count: countIn(count) ?? 1,
    exchange: typeof exchange === "string" ? exchange : "",
    routingKeys: textsIn(entry["routing-keys"]),
    time: time instanceof Date ? time : undefined,
    originalExpiration: typeof expiration === "string" ? expiration : undefined,
  };
}

function placeIn(headers: FieldTable | undefined, prefix: string): DeathPlace | undefined {
  const queue = headers?.[`${prefix}queue`];
  const reason = headers?.[`${prefix}reason`];
  const exchange = headers?.[`${prefix}exchange`];
  if (typeof queue !== "string" || typeof reason !== "string") return undefined;
  return { queue, reason, exchange: typeof exchange === "string" ? exchange : "" };
}

function countIn(value: FieldValue | undefined): number | undefined {
  const count = typeof value === "bigint" ? Number(value) : value;
  return typeof count === "number" && Number.isInteger(count) && count >= 0 ? count : undefined;
}

function textsIn(value: FieldValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function isTable(value: FieldValue): value is FieldTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
