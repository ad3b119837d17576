/** Methods and contents as frames. A frame that cannot be written whole is not written at all. */

import { isBytes, putLong, putLonglong, putShort } from "./bytes.ts";
import { frameEnd, frameHeaderSize, frameOverhead, frameType, maxChannelNumber, maxFramePayload } from "./constants.ts";
import type { UsageError } from "./errors.ts";
import type { FieldTable } from "./field-values.ts";
import { type FieldPlan, type MethodPlan, planOf } from "./method-plans.ts";
import type { Arguments, MethodName } from "./method-types.ts";
import type { Output } from "./output.ts";
import { type BasicProperties, EncodedProperties, writeProperties } from "./properties.ts";
import { writeTable } from "./table-writer.ts";
import { invalid, isInteger, maxShortTextSize, putShortText, writeShortText } from "./values.ts";

/** A message to publish. */
export interface Publication {
  /** `""` is the default exchange. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether the broker returns the message when it cannot be routed to any queue; no unless told. */
  readonly mandatory?: boolean | undefined;
  readonly properties?: BasicProperties | EncodedProperties | undefined;
  /** From {@link Output.referenceThreshold} bytes on it is queued as it is: do not change it before it has left. */
  readonly body: Uint8Array;
}

/** A message to deliver: what a broker sends to a consumer. */
export interface Delivery {
  readonly consumerTag: string;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties?: BasicProperties | EncodedProperties | undefined;
  /** From {@link Output.referenceThreshold} bytes on it is queued as it is: do not change it before it has left. */
  readonly body: Uint8Array;
}

const basicClass = 60;
const publishId = 0x003c_0028;
const deliverId = 0x003c_003c;
const ackId = 0x003c_0050;
const rejectId = 0x003c_005a;
const nackId = 0x003c_0078;

/** In front of the property flags of a content header: class, weight, body size. */
const contentHeaderSize = 12;

/**
 * Writes a method as one frame.
 *
 * @param frameMax the negotiated frame size, 0 where there is no limit.
 * @throws UsageError INVALID_ARGUMENT when a field is of the wrong type or out of range, or the frame is too large. The
 * message names method and field, and never shows a value. `out` is left as it was.
 */
export function writeMethod<M extends MethodName>(
  out: Output,
  channel: number,
  name: M,
  args: Arguments<M>,
  frameMax: number,
): void {
  const plan = planOf.get(name);
  if (plan === undefined) throw invalid("method", "is not in AMQP 0-9-1");
  if (typeof args !== "object" || args === null) throw invalid(name, "needs an object with its fields");
  checkChannel(channel);
  const mark = out.mark();
  try {
    writeMethodFrame(out, channel, plan, args as Readonly<Record<string, unknown>>, frameMax);
  } catch (error) {
    out.rollback(mark);
    throw error;
  }
}

function writeMethodFrame(
  out: Output,
  channel: number,
  plan: MethodPlan,
  args: Readonly<Record<string, unknown>>,
  frameMax: number,
): void {
  const head = out.reserve(frameHeaderSize);
  const at = out.position;
  out.position += frameHeaderSize;
  const start = out.size;
  out.long(plan.id);
  writeFields(out, plan.fields, args, start + payloadMax(frameMax));
  const size = out.size - start;
  if (size > payloadMax(frameMax)) throw tooLarge(plan.name, frameMax);
  putFrameHeader(head, at, frameType.method, channel, size);
  out.octet(frameEnd);
}

/** Adjacent bits share an octet, the first one lowest. No method has more of them than fit one octet. */
function writeFields(
  out: Output,
  fields: readonly FieldPlan[],
  args: Readonly<Record<string, unknown>>,
  maxSize: number,
): void {
  let bits = 0;
  let bitCount = 0;
  for (const field of fields) {
    if (field.type === "bit" || field.type === "reserved-bit") {
      if (field.type === "bit" && isSet(args[field.name], field)) bits |= 1 << bitCount;
      bitCount++;
      continue;
    }
    if (bitCount > 0) out.octet(bits);
    bits = 0;
    bitCount = 0;
    writeField(out, field, args[field.name], maxSize);
  }
  if (bitCount > 0) out.octet(bits);
}

function isSet(value: unknown, field: FieldPlan): boolean {
  if (typeof value === "boolean") return value;
  if (value === undefined && !field.spoken) return false;
  throw invalid(field.where, "is not a boolean");
}

function writeField(out: Output, field: FieldPlan, value: unknown, maxSize: number): void {
  const { type, where } = field;
  switch (type) {
    case "octet":
      return out.octet(checkInteger(value, 0xff, where));
    case "short":
      return out.short(checkInteger(value, 0xffff, where));
    case "long":
      return out.long(checkInteger(value, 0xffff_ffff, where));
    case "longlong":
      return out.longlong(checkInteger(value, Number.MAX_SAFE_INTEGER, where));
    case "shortstr":
      return writeShortText(out, value as string, where);
    case "longstr":
      if (!isBytes(value)) throw invalid(where, "is not a Uint8Array");
      if (out.size + value.length > maxSize) throw invalid(where, "is larger than a frame may be");
      out.long(value.length);
      return out.bytes(value);
    case "table":
      return writeTable(out, value === undefined ? {} : (value as FieldTable), where, maxSize);
    case "reserved-short":
      return out.short(0);
    case "reserved-shortstr":
      return out.octet(0);
    case "reserved-longstr":
      return out.long(0);
  }
}

function checkInteger(value: unknown, greatest: number, where: string): number {
  if (!isInteger(value, 0, greatest)) throw invalid(where, `is not an integer from 0 to ${greatest}`);
  return value;
}

/**
 * Writes a content: a header frame, and body frames of at most `frameMax`; an empty body has none.
 *
 * @param frameMax the negotiated frame size, 0 where there is no limit.
 * @throws UsageError INVALID_ARGUMENT for bad properties, or when they exceed a frame. `out` is left as it was.
 */
export function writeContent(
  out: Output,
  channel: number,
  properties: BasicProperties | EncodedProperties | undefined,
  body: Uint8Array,
  frameMax: number,
): void {
  checkChannel(channel);
  checkBody(body);
  const mark = out.mark();
  try {
    writeContentFrames(out, channel, properties, body, frameMax);
  } catch (error) {
    out.rollback(mark);
    throw error;
  }
}

/**
 * Writes `basic.publish` and its content: the same bytes as {@link writeMethod} and {@link writeContent}, faster.
 *
 * @param frameMax the negotiated frame size, 0 where there is no limit.
 * @throws UsageError INVALID_ARGUMENT. `out` is left as it was.
 */
export function writePublish(out: Output, channel: number, publication: Publication, frameMax: number): void {
  const { exchange, routingKey, mandatory, properties, body } = publication;
  checkChannel(channel);
  checkBody(body);
  const room =
    frameOverhead +
    9 +
    maxShortTextSize(exchange, "basic.publish exchange") +
    maxShortTextSize(routingKey, "basic.publish routingKey");
  const flags = optionalBit(mandatory, "basic.publish mandatory");
  const mark = out.mark();
  try {
    const buffer = out.reserve(room);
    const head = out.position;
    const start = head + frameHeaderSize;
    putLong(buffer, start, publishId);
    putShort(buffer, start + 4, 0);
    let p = putShortText(buffer, start + 6, exchange, "basic.publish exchange");
    p = putShortText(buffer, p, routingKey, "basic.publish routingKey");
    buffer[p++] = flags;
    finishMethod(out, buffer, head, p, channel, "basic.publish", frameMax);
    writeContentFrames(out, channel, properties, body, frameMax);
  } catch (error) {
    out.rollback(mark);
    throw error;
  }
}

/**
 * Writes `basic.deliver` and its content: the same bytes as {@link writeMethod} and {@link writeContent}, faster.
 *
 * @param frameMax the negotiated frame size, 0 where there is no limit.
 * @throws UsageError INVALID_ARGUMENT. `out` is left as it was.
 */
export function writeDeliver(out: Output, channel: number, delivery: Delivery, frameMax: number): void {
  const { consumerTag, deliveryTag, redelivered, exchange, routingKey, properties, body } = delivery;
  checkChannel(channel);
  checkBody(body);
  const room =
    frameOverhead +
    16 +
    maxShortTextSize(consumerTag, "basic.deliver consumerTag") +
    maxShortTextSize(exchange, "basic.deliver exchange") +
    maxShortTextSize(routingKey, "basic.deliver routingKey");
  checkInteger(deliveryTag, Number.MAX_SAFE_INTEGER, "basic.deliver deliveryTag");
  const flags = optionalBit(redelivered, "basic.deliver redelivered");
  const mark = out.mark();
  try {
    const buffer = out.reserve(room);
    const head = out.position;
    const start = head + frameHeaderSize;
    putLong(buffer, start, deliverId);
    let p = putShortText(buffer, start + 4, consumerTag, "basic.deliver consumerTag");
    putLonglong(buffer, p, deliveryTag);
    buffer[p + 8] = flags;
    p = putShortText(buffer, p + 9, exchange, "basic.deliver exchange");
    p = putShortText(buffer, p, routingKey, "basic.deliver routingKey");
    finishMethod(out, buffer, head, p, channel, "basic.deliver", frameMax);
    writeContentFrames(out, channel, properties, body, frameMax);
  } catch (error) {
    out.rollback(mark);
    throw error;
  }
}

/** Writes `basic.ack`. */
export function writeAck(out: Output, channel: number, deliveryTag: number, multiple: boolean): void {
  writeSettlement(out, channel, ackId, deliveryTag, multiple ? 1 : 0);
}

/** Writes `basic.nack`. */
export function writeNack(
  out: Output,
  channel: number,
  deliveryTag: number,
  multiple: boolean,
  requeue: boolean,
): void {
  writeSettlement(out, channel, nackId, deliveryTag, (multiple ? 1 : 0) | (requeue ? 2 : 0));
}

/** Writes `basic.reject`. */
export function writeReject(out: Output, channel: number, deliveryTag: number, requeue: boolean): void {
  writeSettlement(out, channel, rejectId, deliveryTag, requeue ? 1 : 0);
}

/** The three have one layout, and fit every frame. */
function writeSettlement(out: Output, channel: number, id: number, deliveryTag: number, bits: number): void {
  checkChannel(channel);
  checkInteger(deliveryTag, Number.MAX_SAFE_INTEGER, "deliveryTag");
  const size = 13;
  const buffer = out.reserve(frameOverhead + size);
  const head = out.position;
  const start = head + frameHeaderSize;
  putFrameHeader(buffer, head, frameType.method, channel, size);
  putLong(buffer, start, id);
  putLonglong(buffer, start + 4, deliveryTag);
  buffer[start + 12] = bits;
  buffer[start + 13] = frameEnd;
  out.position = start + 14;
}

/** Writes a heartbeat frame. */
export function writeHeartbeat(out: Output): void {
  const buffer = out.reserve(frameOverhead);
  putFrameHeader(buffer, out.position, frameType.heartbeat, 0, 0);
  buffer[out.position + frameHeaderSize] = frameEnd;
  out.position += frameOverhead;
}

function writeContentFrames(
  out: Output,
  channel: number,
  properties: BasicProperties | EncodedProperties | undefined,
  body: Uint8Array,
  frameMax: number,
): void {
  writeContentHeader(out, channel, properties, body.length, frameMax);
  const length = body.length;
  const pieceMax = payloadMax(frameMax);
  if (length <= pieceMax) {
    if (length > 0) writeBodyFrame(out, channel, body, length);
    return;
  }
  for (let start = 0; start < length; start += pieceMax) {
    const end = Math.min(start + pieceMax, length);
    writeBodyFrame(out, channel, body.subarray(start, end), end - start);
  }
}

function writeContentHeader(
  out: Output,
  channel: number,
  properties: BasicProperties | EncodedProperties | undefined,
  bodySize: number,
  frameMax: number,
): void {
  const buffer = out.reserve(frameHeaderSize + contentHeaderSize + 3);
  const head = out.position;
  const p = head + frameHeaderSize;
  putLong(buffer, p, basicClass << 16);
  putLonglong(buffer, p + 4, bodySize);
  if (properties === undefined) {
    putShort(buffer, p + 12, 0);
    buffer[p + 14] = frameEnd;
    putFrameHeader(buffer, head, frameType.header, channel, contentHeaderSize + 2);
    out.position = p + 15;
    return;
  }
  out.position = p + contentHeaderSize;
  const start = out.size;
  const limit = payloadMax(frameMax) - contentHeaderSize;
  if (properties instanceof EncodedProperties) {
    if (properties.bytes.length > limit) throw tooLarge("The content header", frameMax);
    out.bytes(properties.bytes);
  } else {
    if (typeof properties !== "object" || properties === null) throw invalid("properties", "is not an object");
    writeProperties(out, properties, start + limit);
  }
  const size = out.size - start;
  if (size > limit) throw tooLarge("The content header", frameMax);
  putFrameHeader(buffer, head, frameType.header, channel, contentHeaderSize + size);
  out.octet(frameEnd);
}

function writeBodyFrame(out: Output, channel: number, body: Uint8Array, size: number): void {
  if (size >= out.referenceThreshold) {
    putFrameHeader(out.reserve(frameHeaderSize), out.position, frameType.body, channel, size);
    out.position += frameHeaderSize;
    out.reference(body);
    out.octet(frameEnd);
    return;
  }
  const buffer = out.reserve(frameOverhead + size);
  const start = out.position + frameHeaderSize;
  putFrameHeader(buffer, out.position, frameType.body, channel, size);
  buffer.set(body, start);
  buffer[start + size] = frameEnd;
  out.position = start + size + 1;
}

/** Closes a method frame that was written in place, from `head` to `end`. */
function finishMethod(
  out: Output,
  buffer: Uint8Array,
  head: number,
  end: number,
  channel: number,
  name: MethodName,
  frameMax: number,
): void {
  const size = end - head - frameHeaderSize;
  if (size > payloadMax(frameMax)) throw tooLarge(name, frameMax);
  putFrameHeader(buffer, head, frameType.method, channel, size);
  buffer[end] = frameEnd;
  out.position = end + 1;
}

function putFrameHeader(buffer: Uint8Array, at: number, type: number, channel: number, size: number): void {
  buffer[at] = type;
  putShort(buffer, at + 1, channel);
  putLong(buffer, at + 3, size);
}

/** The largest payload that we send under a frame size. Where there is no limit, our own applies. */
function payloadMax(frameMax: number): number {
  if (frameMax === 0) return maxFramePayload;
  if (frameMax <= frameOverhead) throw invalid("frameMax", `is not 0 or more than ${frameOverhead}`);
  return frameMax - frameOverhead;
}

function checkChannel(channel: number): void {
  if (!isInteger(channel, 0, maxChannelNumber))
    throw invalid("channel", `is not an integer from 0 to ${maxChannelNumber}`);
}

function checkBody(body: Uint8Array): void {
  if (!isBytes(body)) throw invalid("body", "is not a Uint8Array");
}

function optionalBit(value: boolean | undefined, where: string): number {
  if (value === true) return 1;
  if (value === false || value === undefined) return 0;
  throw invalid(where, "is not a boolean");
}

function tooLarge(what: string, frameMax: number): UsageError {
  return invalid(what, `does not fit into one frame (frameMax is ${frameMax})`);
}
