/** The frames of a content: a header, and the body in pieces. */

import { isBytes, putLong, putLonglong, putShort } from "./bytes.ts";
import { frameEnd, frameHeaderSize, frameOverhead, frameType } from "./constants.ts";
import { basicClass, checkChannel, contentHeaderSize, payloadMax, putFrameHeader, tooLarge } from "./frame-parts.ts";
import type { Output } from "./output.ts";
import { type BasicProperties, EncodedProperties, writeProperties } from "./properties.ts";
import { invalid } from "./values.ts";

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

/** A body has to be bytes; strings in particular have more than one way to become bytes. */
export function checkBody(body: Uint8Array): void {
  if (!isBytes(body)) throw invalid("body", "is not a Uint8Array, as encodeText makes of a string");
}

/**
 * Writes the frames of a content.
 *
 * @throws UsageError INVALID_ARGUMENT, with a part written.
 */
export function writeContentFrames(
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
