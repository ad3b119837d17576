/** A content method and its content in one go: the straight-line twins for the messages themselves. */

import { putLong, putLonglong, putShort } from "./bytes.ts";
import { frameEnd, frameHeaderSize, frameOverhead, frameType } from "./constants.ts";
import { checkBody, writeContentFrames } from "./encode-content.ts";
import { checkChannel, payloadMax, putFrameHeader, tooLarge } from "./frame-parts.ts";
import type { MethodName } from "./method-types.ts";
import type { Output } from "./output.ts";
import type { BasicProperties, EncodedProperties } from "./properties.ts";
import type { RepeatedProperties } from "./repeated-properties.ts";
import { checkInteger, invalid, maxShortTextSize, putShortText } from "./values.ts";

/** A message to publish. */
export interface Publication {
  /** `""` is the default exchange. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether the server hands the message back when no queue takes it. Default false. */
  readonly mandatory?: boolean | undefined;
  /** Encode them once where many messages share them. Default: none. */
  readonly properties?: BasicProperties | EncodedProperties | undefined;
  /** From some KiB on ({@link Output.referenceThreshold}) it is sent without a copy: it may not change until it has left. */
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

const publishId = 0x003c_0028;
const deliverId = 0x003c_003c;

/**
 * Writes `basic.publish` and its content: the same bytes as {@link writeMethod} and {@link writeContent}, faster.
 *
 * @param frameMax the negotiated frame size, 0 where there is no limit.
 * @param repeated what is known of messages before, so that properties which come again are not encoded again.
 * @throws UsageError INVALID_ARGUMENT. `out` is left as it was.
 */
export function writePublish(
  out: Output,
  channel: number,
  publication: Publication,
  frameMax: number,
  repeated?: RepeatedProperties,
): void {
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
    writeContentFrames(out, channel, repeated === undefined ? properties : repeated.find(properties), body, frameMax);
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

function optionalBit(value: boolean | undefined, where: string): number {
  if (value === true) return 1;
  if (value === false || value === undefined) return 0;
  throw invalid(where, "is not a boolean");
}
