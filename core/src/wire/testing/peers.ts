/** The codecs of other clients, from inside their packages: whoever encodes the same bytes has read the same specification. */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { isBytes } from "../bytes.ts";
import { Decimal, type FieldTable, type FieldValue, TypedValue } from "../field-values.ts";
import type { MethodName } from "../method-types.ts";
import type { BasicProperties } from "../properties.ts";
import { definitions } from "./arbitraries.ts";

const require = createRequire(import.meta.url);

function inside(packageName: string, ...path: readonly string[]): unknown {
  return require(join(dirname(require.resolve(packageName)), ...path));
}

const decoder = new TextDecoder();

type Fields = Readonly<Record<string, unknown>>;

// amqplib

interface AmqplibCodec {
  encodeMethod(id: number, channel: number, fields: Fields): Buffer;
  encodeProperties(classId: number, channel: number, bodySize: number, fields: Fields): Buffer;
}

const amqplib = inside("amqplib", "lib", "defs.js") as AmqplibCodec;

/** The frame that amqplib makes of a method. */
export function amqplibMethod(name: MethodName, channel: number, fields: Fields): Uint8Array {
  const renamed = Object.entries(fields).map(([field, value]) => {
    const type = definitions[name].fields[field];
    const converted =
      type === "table" ? amqplibTable(value as FieldTable) : isBytes(value) ? Buffer.from(value) : value;
    return [field === "noWait" ? "nowait" : field, converted] as const;
  });
  return amqplib.encodeMethod(definitions[name].id, channel, Object.fromEntries(renamed));
}

/** The frame that amqplib makes of a content header. */
export function amqplibHeader(channel: number, bodySize: number, properties: BasicProperties): Uint8Array {
  const { headers, timestamp, ...others } = properties;
  return amqplib.encodeProperties(60, channel, bodySize, {
    ...others,
    ...(headers === undefined ? {} : { headers: amqplibTable(headers) }),
    ...(timestamp === undefined ? {} : { timestamp: timestamp.getTime() / 1000 }),
  });
}

function amqplibTable(table: FieldTable): Fields {
  const entries = Object.entries(table).map(([name, value]) => [
    name,
    value === undefined ? value : amqplibValue(value),
  ]);
  return Object.fromEntries(entries) as Fields;
}

/** A value with its type said, where amqplib would choose another one. */
function amqplibValue(value: FieldValue): unknown {
  if (typeof value === "bigint") return { "!": "int64", value };
  if (typeof value === "number") {
    if (!Number.isInteger(value)) return { "!": "double", value };
    return { "!": value === (value | 0) ? "int32" : "int64", value };
  }
  if (value instanceof Date) return { "!": "timestamp", value: value.getTime() / 1000 };
  if (value instanceof Decimal) return { "!": "decimal", value: { places: value.scale, digits: value.unscaled } };
  if (value instanceof TypedValue) return amqplibTyped(value);
  if (isBytes(value)) return Buffer.from(value);
  if (Array.isArray(value)) return (value as readonly FieldValue[]).map(amqplibValue);
  return typeof value === "object" && value !== null ? amqplibTable(value as FieldTable) : value;
}

function amqplibTyped({ type, value }: TypedValue): unknown {
  if (type === "bytes") return Buffer.from(value as string);
  if (type === "longstr") return value;
  return { "!": type, value };
}

/** Whether amqplib can send this: not a string of bytes, and no table that it would take for its own notation. */
export function amqplibCanSend(value: unknown): boolean {
  if (value instanceof TypedValue) return value.type !== "longstr" || typeof value.value === "string";
  if (typeof value !== "object" || value === null || isBytes(value)) return true;
  return !Object.hasOwn(value, "!") && Object.values(value).every(amqplibCanSend);
}

// rabbitmq-client

interface RabbitmqClientCodec {
  encodeFrame(frame: { type: 1; channelId: number; methodId: number; params: Fields }): Buffer;
  encodeFrame(frame: { type: 2; channelId: number; bodySize: number; fields: Fields }): Buffer;
  readonly Cmd: Readonly<Record<string, number | string>>;
}

const rabbitmqClient = inside("rabbitmq-client", "codec.js") as RabbitmqClientCodec;

/** The methods that rabbitmq-client knows. */
export const rabbitmqClientMethods: readonly MethodName[] = (Object.keys(definitions) as MethodName[]).filter((name) =>
  Object.values(rabbitmqClient.Cmd).includes(definitions[name].id),
);

/** The frame that rabbitmq-client makes of a method. */
export function rabbitmqClientMethod(name: MethodName, channelId: number, fields: Fields): Uint8Array {
  const { noWait: nowait, classId, methodId, ...others } = fields;
  // Long strings are strings to it.
  const texts = Object.entries(others).map(([field, value]) => [field, isBytes(value) ? decoder.decode(value) : value]);
  const params = {
    ...(Object.fromEntries(texts) as Fields),
    nowait,
    methodId: Number(classId) * 65_536 + Number(methodId),
  };
  return rabbitmqClient.encodeFrame({ type: 1, channelId, methodId: definitions[name].id, params });
}

/** The frame that rabbitmq-client makes of a content header. */
export function rabbitmqClientHeader(channelId: number, bodySize: number, properties: BasicProperties): Uint8Array {
  const { timestamp, ...others } = properties;
  const fields = timestamp === undefined ? others : { ...others, timestamp: timestamp.getTime() / 1000 };
  return rabbitmqClient.encodeFrame({ type: 2, channelId, bodySize, fields });
}

// @cloudamqp/amqp-client

interface CloudamqpView {
  setProperties(offset: number, properties: object): number;
  getProperties(offset: number): [BasicProperties, number];
}

const { AMQPView } = inside("@cloudamqp/amqp-client", "amqp-view.js") as {
  AMQPView: new (buffer: ArrayBuffer) => CloudamqpView;
};

/** The property flags and list that @cloudamqp/amqp-client makes. */
export function cloudamqpProperties(properties: BasicProperties): Uint8Array {
  const buffer = new ArrayBuffer(65_536);
  return new Uint8Array(buffer, 0, new AMQPView(buffer).setProperties(0, properties));
}

/** The properties that @cloudamqp/amqp-client reads. */
export function readByCloudamqp(bytes: Uint8Array): BasicProperties {
  return new AMQPView(new Uint8Array(bytes).buffer).getProperties(0)[0];
}
