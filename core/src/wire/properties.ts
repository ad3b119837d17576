/** The properties of the class basic: what a content header carries besides the size of the body. */

import { joined } from "./bytes.ts";
import { maxFramePayload } from "./constants.ts";
import type { FieldTable } from "./field-values.ts";
import { Input } from "./input.ts";
import { Output } from "./output.ts";
import { readTable } from "./table-reader.ts";
import { writeTable } from "./table-writer.ts";
import { invalid, isDate, isInteger, secondsOf, writeShortText } from "./values.ts";
import type { ShortStrings } from "./short-strings.ts";

/**
 * The properties of a message. An absent property differs from an empty one; `undefined` means absent.
 *
 * Strings are at most 255 bytes of UTF-8.
 */
export interface BasicProperties {
  /** MIME type of the body. RabbitMQ does not look at it. */
  readonly contentType?: string | undefined;
  /** MIME content encoding of the body, such as `"gzip"`. */
  readonly contentEncoding?: string | undefined;
  /** What the application or an extension adds; also what a headers exchange matches. */
  readonly headers?: FieldTable | undefined;
  /** 1 transient, 2 persistent; RabbitMQ before 3.13 refuses other values. Any octet is encoded. */
  readonly deliveryMode?: number | undefined;
  /** 0 to 255. */
  readonly priority?: number | undefined;
  readonly correlationId?: string | undefined;
  /** The queue that an answer should go to. */
  readonly replyTo?: string | undefined;
  /** Time to live, milliseconds in decimal digits. */
  readonly expiration?: string | undefined;
  readonly messageId?: string | undefined;
  /**
   * A time in whole seconds; what is below a second is cut off. Not before 1970. A received time beyond the range of Date
   * is an invalid Date.
   */
  readonly timestamp?: Date | undefined;
  /** What kind of message it is, in the application's words. */
  readonly type?: string | undefined;
  /** RabbitMQ refuses a message whose user id is not the user of the connection. */
  readonly userId?: string | undefined;
  readonly appId?: string | undefined;
  /** Deprecated in AMQP 0-9-1. Forwarded all the same. */
  readonly clusterId?: string | undefined;
}

/** Properties encoded once, for many messages. */
export class EncodedProperties {
  /** The property flags and the property list, as they stand in a content header. */
  readonly bytes: Uint8Array;

  /**
   * @param bytes taken as they are, neither checked nor copied: such as those of a received header that is forwarded.
   * {@link encodeProperties} makes them from properties.
   */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** The bit that says that a property is present. Values follow in this order. Bits 1 and 0 are unused. */
export const propertyFlags = {
  contentType: 0x8000,
  contentEncoding: 0x4000,
  headers: 0x2000,
  deliveryMode: 0x1000,
  priority: 0x0800,
  correlationId: 0x0400,
  replyTo: 0x0200,
  expiration: 0x0100,
  messageId: 0x0080,
  timestamp: 0x0040,
  type: 0x0020,
  userId: 0x0010,
  appId: 0x0008,
  clusterId: 0x0004,
} as const;

/**
 * Encodes properties for many messages.
 *
 * @throws UsageError INVALID_ARGUMENT for a value of the wrong type or out of range. The message names the property.
 */
export function encodeProperties(properties: BasicProperties): EncodedProperties {
  const out = new Output();
  writeProperties(out, properties, maxFramePayload);
  return new EncodedProperties(joined(out.take()));
}

/**
 * Writes the property flags and the property list.
 *
 * @param maxSize the size that `out` may reach.
 * @throws UsageError INVALID_ARGUMENT, with a part written.
 */
export function writeProperties(out: Output, properties: BasicProperties, maxSize: number): void {
  const p = properties;
  const head = out.reserve(2);
  const at = out.position;
  out.position += 2;
  let flags = 0;
  if (p.contentType !== undefined) {
    flags |= propertyFlags.contentType;
    writeShortText(out, p.contentType, "property contentType");
  }
  if (p.contentEncoding !== undefined) {
    flags |= propertyFlags.contentEncoding;
    writeShortText(out, p.contentEncoding, "property contentEncoding");
  }
  if (p.headers !== undefined) {
    flags |= propertyFlags.headers;
    writeTable(out, p.headers, "property headers", maxSize);
  }
  if (p.deliveryMode !== undefined) {
    flags |= propertyFlags.deliveryMode;
    writeOctet(out, p.deliveryMode, "property deliveryMode");
  }
  if (p.priority !== undefined) {
    flags |= propertyFlags.priority;
    writeOctet(out, p.priority, "property priority");
  }
  if (p.correlationId !== undefined) {
    flags |= propertyFlags.correlationId;
    writeShortText(out, p.correlationId, "property correlationId");
  }
  if (p.replyTo !== undefined) {
    flags |= propertyFlags.replyTo;
    writeShortText(out, p.replyTo, "property replyTo");
  }
  if (p.expiration !== undefined) {
    flags |= propertyFlags.expiration;
    writeShortText(out, p.expiration, "property expiration");
  }
  if (p.messageId !== undefined) {
    flags |= propertyFlags.messageId;
    writeShortText(out, p.messageId, "property messageId");
  }
  if (p.timestamp !== undefined) {
    flags |= propertyFlags.timestamp;
    writeTimestamp(out, p.timestamp);
  }
  if (p.type !== undefined) {
    flags |= propertyFlags.type;
    writeShortText(out, p.type, "property type");
  }
  if (p.userId !== undefined) {
    flags |= propertyFlags.userId;
    writeShortText(out, p.userId, "property userId");
  }
  if (p.appId !== undefined) {
    flags |= propertyFlags.appId;
    writeShortText(out, p.appId, "property appId");
  }
  if (p.clusterId !== undefined) {
    flags |= propertyFlags.clusterId;
    writeShortText(out, p.clusterId, "property clusterId");
  }
  head[at] = flags >>> 8;
  head[at + 1] = flags;
}

function writeOctet(out: Output, value: number, where: string): void {
  if (!isInteger(value, 0, 0xff)) throw invalid(where, "is not an integer from 0 to 255");
  out.octet(value);
}

function writeTimestamp(out: Output, value: Date): void {
  const seconds = isDate(value) ? secondsOf(value) : undefined;
  if (seconds === undefined) throw invalid("property timestamp", "is not a valid Date of 1970 or later");
  out.longlong(seconds);
}

/** Properties while they are filled. */
type Filling = { -readonly [P in keyof BasicProperties]: Exclude<BasicProperties[P], undefined> };

/**
 * Reads properties, from the property flags on. Only what is present becomes a field of the result.
 *
 * @throws ProtocolError SYNTAX_ERROR when they do not parse, or do not end at `end`.
 */
export function decodeProperties(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  strings?: ShortStrings,
): BasicProperties {
  const input = new Input(bytes, start, end, "A property list", "SYNTAX_ERROR");
  const flags = input.short();
  const p: Filling = {};
  if (flags & propertyFlags.contentType) p.contentType = input.shortstr(strings);
  if (flags & propertyFlags.contentEncoding) p.contentEncoding = input.shortstr(strings);
  if (flags & propertyFlags.headers) p.headers = readTable(input);
  if (flags & propertyFlags.deliveryMode) p.deliveryMode = input.octet();
  if (flags & propertyFlags.priority) p.priority = input.octet();
  if (flags & propertyFlags.correlationId) p.correlationId = input.shortstr();
  if (flags & propertyFlags.replyTo) p.replyTo = input.shortstr(strings);
  if (flags & propertyFlags.expiration) p.expiration = input.shortstr(strings);
  if (flags & propertyFlags.messageId) p.messageId = input.shortstr();
  if (flags & propertyFlags.timestamp) p.timestamp = new Date(input.longlong() * 1000);
  if (flags & propertyFlags.type) p.type = input.shortstr(strings);
  if (flags & propertyFlags.userId) p.userId = input.shortstr(strings);
  if (flags & propertyFlags.appId) p.appId = input.shortstr(strings);
  if (flags & propertyFlags.clusterId) p.clusterId = input.shortstr(strings);
  input.finish();
  return p;
}
