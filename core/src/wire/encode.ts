/**
 * Methods and contents as frames. A frame that cannot be written whole is not written at all.
 *
 * {@link writeMethod} interprets the table of methods. The methods that come with every message have straight-line twins
 * beside it, which write the same bytes.
 */

import { isBytes } from "./bytes.ts";
import { frameEnd, frameHeaderSize, frameOverhead, frameType } from "./constants.ts";
import type { FieldTable } from "./field-values.ts";
import { checkChannel, payloadMax, putFrameHeader, tooLarge } from "./frame-parts.ts";
import { type FieldPlan, type MethodPlan, planOf } from "./method-plans.ts";
import type { Arguments, MethodName } from "./method-types.ts";
import type { Output } from "./output.ts";
import { writeTable } from "./table-writer.ts";
import { checkInteger, invalid, writeShortText } from "./values.ts";

export { writeContent } from "./encode-content.ts";
export { type Delivery, type Publication, writeDeliver, writePublish } from "./encode-messages.ts";
export { writeAck, writeNack, writeReject } from "./encode-settlements.ts";

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

/** Writes a heartbeat frame. */
export function writeHeartbeat(out: Output): void {
  const buffer = out.reserve(frameOverhead);
  putFrameHeader(buffer, out.position, frameType.heartbeat, 0, 0);
  buffer[out.position + frameHeaderSize] = frameEnd;
  out.position += frameOverhead;
}
