/**
 * What a connection has declared and would declare again: the records of recovery. Plain values; names are never empty,
 * since whoever records resolves `''` first and takes the server's names from its answers.
 */

import type { FieldTable, FieldValue } from "../wire/field-values.ts";

/** An exchange that this connection declared. */
export interface ExchangeRecord {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

/** A queue that this connection declared. */
export interface QueueRecord {
  /** The name that it has now. */
  readonly name: string;
  /** The server named it, and will name it anew. */
  readonly serverNamed: boolean;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

/** A binding that this connection made. */
export interface BindingRecord {
  /** An exchange and a queue may have the same name, so the name alone does not tell. */
  readonly destinationKind: "queue" | "exchange";
  readonly destination: string;
  readonly source: string;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

/** A consumer that this connection started. */
export interface ConsumerRecord {
  /** The handle's own number of its channel, which outlives connections. */
  readonly channelId: number;
  /** Unique on its channel only. */
  readonly consumerTag: string;
  readonly queue: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly arguments: FieldTable;
  /** The prefetch that was in force when it was started: a later `basic.qos` did not change it. */
  readonly prefetch: number;
}

/** A channel that is open, or will be again. */
export interface ChannelRecord {
  /** The handle's own number, which outlives connections. Channels are recovered in this order. */
  readonly id: number;
  /** The channel number on the wire. */
  readonly number: number;
  readonly mode: "plain" | "confirm" | "tx";
  /** The prefetch for consumers that are started from now on; `undefined` when none was set. */
  readonly prefetch: number | undefined;
  /** The prefetch that all consumers share; `undefined` when none was set. */
  readonly prefetchGlobal: number | undefined;
}

/** Identifies a binding as RabbitMQ does: arguments count by value, whatever their order. */
export function bindingKey({
  destinationKind,
  destination,
  source,
  routingKey,
  arguments: table,
}: BindingRecord): string {
  return JSON.stringify([destinationKind, destination, source, routingKey, canonical(table)]);
}

/** Identifies a consumer: equal tags on two channels are two consumers. */
export function consumerKey({ channelId, consumerTag }: Pick<ConsumerRecord, "channelId" | "consumerTag">): string {
  return `${channelId} ${consumerTag}`;
}

/** A value with the keys of its tables sorted, in a form that JSON can tell apart. */
function canonical(value: FieldValue | undefined): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" || typeof value === "bigint") return { number: String(value) };
  if (value === undefined) return { undefined: true };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(canonical);
  const entries = Object.entries(value as FieldTable).filter(([, entry]) => entry !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return { table: entries.map(([name, entry]) => [name, canonical(entry)]) };
}
