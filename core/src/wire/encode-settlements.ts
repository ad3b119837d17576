/** The straight-line twins for what settles a delivery. */

import { putLong, putLonglong } from "./bytes.ts";
import { frameEnd, frameHeaderSize, frameOverhead, frameType } from "./constants.ts";
import { checkChannel, putFrameHeader } from "./frame-parts.ts";
import type { Output } from "./output.ts";
import { checkInteger } from "./values.ts";

const ackId = 0x003c_0050;
const rejectId = 0x003c_005a;
const nackId = 0x003c_0078;

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
