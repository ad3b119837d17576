/** The payloads of frames as methods and content headers. Whatever is returned may be kept: nothing in it is borrowed. */

import { readLong, readLonglong, readShort } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { contentHeaderSize, methodIdSize } from "./frame-parts.ts";
import { Input } from "./input.ts";
import { type FieldPlan, planOfId } from "./method-plans.ts";
import type { Fields, Method, MethodName } from "./method-types.ts";
import type { ShortStrings } from "./short-strings.ts";
import { readTable } from "./table-reader.ts";

/**
 * The id of the method in a payload, as the table of methods has it: class in the upper 16 bits, method in the lower.
 * Meaningless for a payload of less than 4 bytes, which every decoder refuses.
 */
export function methodId(bytes: Uint8Array, start: number): number {
  return readLong(bytes, start);
}

/**
 * Decodes the payload of a method frame.
 *
 * Short strings that are not UTF-8 are read with U+FFFD, long strings stay bytes, reserved fields are skipped.
 *
 * @param strings a cache for strings that repeat.
 * @throws ProtocolError COMMAND_INVALID for a method that is not in the table; FRAME_ERROR when the payload is too short or
 * too long; SYNTAX_ERROR for a bad table, or a delivery tag beyond 2^53.
 */
export function decodeMethod(bytes: Uint8Array, start: number, end: number, strings?: ShortStrings): Method {
  if (end - start < methodIdSize) throw tooShort("A method");
  const id = methodId(bytes, start);
  const plan = planOfId.get(id);
  if (plan === undefined) {
    throw new ProtocolError("COMMAND_INVALID", `There is no method ${id >>> 16},${id & 0xffff} in AMQP 0-9-1`);
  }
  const input = new Input(bytes, start + methodIdSize, end, plan.name);
  const fields = readFields(input, plan.fields, strings);
  input.finish();
  return { name: plan.name, fields } as unknown as Method;
}

type AnyFields = Record<string, unknown>;

function readFields(input: Input, plans: readonly FieldPlan[], strings: ShortStrings | undefined): AnyFields {
  const fields: AnyFields = {};
  let bits = 0;
  let bitCount = 0;
  for (const plan of plans) {
    if (plan.type === "bit" || plan.type === "reserved-bit") {
      if (bitCount === 0) bits = input.octet();
      if (plan.type === "bit") fields[plan.name] = (bits & (1 << bitCount)) !== 0;
      bitCount++;
    } else {
      bitCount = 0;
      readField(input, plan, fields, strings);
    }
  }
  return fields;
}

function readField(input: Input, plan: FieldPlan, fields: AnyFields, strings: ShortStrings | undefined): void {
  switch (plan.type) {
    case "octet":
      fields[plan.name] = input.octet();
      break;
    case "short":
      fields[plan.name] = input.short();
      break;
    case "long":
      fields[plan.name] = input.long();
      break;
    case "longlong":
      fields[plan.name] = checkTag(input.longlong());
      break;
    case "shortstr":
      fields[plan.name] = input.shortstr(strings);
      break;
    case "longstr":
      fields[plan.name] = input.longstr();
      break;
    case "table":
      fields[plan.name] = readTable(input);
      break;
    case "reserved-short":
      input.short();
      break;
    case "reserved-shortstr":
      input.skip(input.octet());
      break;
    case "reserved-longstr":
      input.skip(input.long());
      break;
  }
}

// The twins of decodeMethod for the methods that come with every message. Each reads one payload, which the caller knows by
// its `methodId`, and does the same as decodeMethod for it.

/** Decodes the payload of a `basic.deliver`. */
export function decodeDeliver(
  bytes: Uint8Array,
  start: number,
  end: number,
  strings: ShortStrings,
): Fields<"basic.deliver"> {
  const tagAt = behindString(bytes, start + methodIdSize, end, "basic.deliver");
  const exchangeAt = tagAt + 9;
  const keyAt = behindString(bytes, exchangeAt, end, "basic.deliver");
  checkEnd(behindString(bytes, keyAt, end, "basic.deliver"), end, "basic.deliver");
  return {
    consumerTag: stringAt(bytes, start + methodIdSize, strings),
    deliveryTag: checkTag(readLonglong(bytes, tagAt)),
    redelivered: (bytes[tagAt + 8]! & 1) !== 0,
    exchange: stringAt(bytes, exchangeAt, strings),
    routingKey: stringAt(bytes, keyAt, strings),
  };
}

/** Decodes the payload of a `basic.get-ok`. */
export function decodeGetOk(
  bytes: Uint8Array,
  start: number,
  end: number,
  strings: ShortStrings,
): Fields<"basic.get-ok"> {
  const tagAt = start + methodIdSize;
  const exchangeAt = tagAt + 9;
  const keyAt = behindString(bytes, exchangeAt, end, "basic.get-ok");
  const countAt = behindString(bytes, keyAt, end, "basic.get-ok");
  checkEnd(countAt + 4, end, "basic.get-ok");
  return {
    deliveryTag: checkTag(readLonglong(bytes, tagAt)),
    redelivered: (bytes[tagAt + 8]! & 1) !== 0,
    exchange: stringAt(bytes, exchangeAt, strings),
    routingKey: stringAt(bytes, keyAt, strings),
    messageCount: readLong(bytes, countAt),
  };
}

/** Decodes the payload of a `basic.publish`. */
export function decodePublish(
  bytes: Uint8Array,
  start: number,
  end: number,
  strings: ShortStrings,
): Fields<"basic.publish"> {
  const exchangeAt = start + methodIdSize + 2;
  const keyAt = behindString(bytes, exchangeAt, end, "basic.publish");
  const bitsAt = behindString(bytes, keyAt, end, "basic.publish");
  checkEnd(bitsAt + 1, end, "basic.publish");
  const bits = bytes[bitsAt]!;
  return {
    exchange: stringAt(bytes, exchangeAt, strings),
    routingKey: stringAt(bytes, keyAt, strings),
    mandatory: (bits & 1) !== 0,
    immediate: (bits & 2) !== 0,
  };
}

/** Decodes the payload of a `basic.ack`. */
export function decodeAck(bytes: Uint8Array, start: number, end: number): Fields<"basic.ack"> {
  const tagAt = start + methodIdSize;
  checkEnd(tagAt + 9, end, "basic.ack");
  return { deliveryTag: checkTag(readLonglong(bytes, tagAt)), multiple: (bytes[tagAt + 8]! & 1) !== 0 };
}

/** Decodes the payload of a `basic.nack`. */
export function decodeNack(bytes: Uint8Array, start: number, end: number): Fields<"basic.nack"> {
  const tagAt = start + methodIdSize;
  checkEnd(tagAt + 9, end, "basic.nack");
  const bits = bytes[tagAt + 8]!;
  return {
    deliveryTag: checkTag(readLonglong(bytes, tagAt)),
    multiple: (bits & 1) !== 0,
    requeue: (bits & 2) !== 0,
  };
}

/** The position behind the short string at `at`, which may be beyond `end`: the next check finds that. */
function behindString(bytes: Uint8Array, at: number, end: number, name: MethodName): number {
  if (at >= end) throw tooShort(name);
  return at + 1 + bytes[at]!;
}

function checkEnd(position: number, end: number, name: MethodName): void {
  if (position > end) throw tooShort(name);
  if (position < end) throw new ProtocolError("FRAME_ERROR", `${name} has ${end - position} bytes too many`);
}

function stringAt(bytes: Uint8Array, at: number, strings: ShortStrings): string {
  return strings.decode(bytes, at + 1, bytes[at]!);
}

/** @throws ProtocolError SYNTAX_ERROR when the tag is beyond what a number holds. */
export function checkTag(tag: number): number {
  if (tag > Number.MAX_SAFE_INTEGER) throw new ProtocolError("SYNTAX_ERROR", "A delivery tag is beyond 2^53");
  return tag;
}

function tooShort(what: string): ProtocolError {
  return new ProtocolError("FRAME_ERROR", `${what} ends in the middle of a value`);
}

/** What a content header says, its properties aside. */
export interface ContentHeader {
  /** The class of the content; 60, `basic`, is the only one that has any. */
  readonly classId: number;
  /** Always 0. */
  readonly weight: number;
  /** The size of the body, in bytes. */
  readonly bodySize: number;
  /** Where the property flags are; `decodeProperties` reads from there. */
  readonly propertiesStart: number;
}

/**
 * Decodes the payload of a header frame up to the properties.
 *
 * @throws ProtocolError FRAME_ERROR when it is too short, or for a body size beyond 2^53; UNEXPECTED_FRAME, as from RabbitMQ,
 * when the weight is not 0.
 */
export function decodeContentHeader(bytes: Uint8Array, start: number, end: number): ContentHeader {
  if (end - start < contentHeaderSize + 2) throw tooShort("A content header");
  const weight = readShort(bytes, start + 2);
  if (weight !== 0) throw new ProtocolError("UNEXPECTED_FRAME", "A content header has a weight other than 0");
  const bodySize = readLonglong(bytes, start + 4);
  if (bodySize > Number.MAX_SAFE_INTEGER) {
    throw new ProtocolError("FRAME_ERROR", "A content header announces a body of more than 2^53 bytes");
  }
  return { classId: readShort(bytes, start), weight, bodySize, propertiesStart: start + contentHeaderSize };
}
