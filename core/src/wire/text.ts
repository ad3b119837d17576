/** UTF-8. What is sent must be well-formed; what is received is read leniently where AMQP says "string". */

import { UsageError } from "./errors.ts";

const encoder = new TextEncoder();
// A byte order mark is a character like any other: it is not ours to remove.
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Up to this length a loop over ASCII beats a call to the platform's encoder or decoder. */
const shortText = 32;

/** The most bytes of UTF-8 that one UTF-16 unit becomes. */
export const maxBytesPerUnit = 3;

/** What {@link writeText} returns for a text with a lone surrogate. */
export const notWellFormed = -1;

/**
 * Writes `text` at `position` and returns the position behind it, or {@link notWellFormed}.
 * The buffer must have room for {@link maxBytesPerUnit} bytes per UTF-16 unit.
 */
export function writeText(buffer: Uint8Array, position: number, text: string): number {
  const length = text.length;
  if (length > shortText) return writeAnyText(buffer, position, text);
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return writeAnyText(buffer, position, text);
    buffer[position + i] = unit;
  }
  return position + length;
}

function writeAnyText(buffer: Uint8Array, position: number, text: string): number {
  const { written } = encoder.encodeInto(text, buffer.subarray(position));
  if (written !== text.length && hasLoneSurrogate(text)) return notWellFormed;
  return position + written;
}

function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/**
 * The UTF-8 of `text`.
 *
 * @throws UsageError INVALID_ARGUMENT when it has a lone surrogate. The message does not show the text.
 */
export function encodeText(text: string): Uint8Array {
  if (hasLoneSurrogate(text)) throw new UsageError("INVALID_ARGUMENT", "A text with a lone surrogate has no UTF-8");
  return encoder.encode(text);
}

/** Reads UTF-8; each malformed sequence becomes U+FFFD, as RabbitMQ does not check what publishers send. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > shortText) return lenientDecoder.decode(bytes.subarray(start, end));
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte > 0x7f) return lenientDecoder.decode(bytes.subarray(start, end));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Reads UTF-8; `undefined` when it is malformed. */
export function decodeStrictText(bytes: Uint8Array, start: number, end: number): string | undefined {
  let ascii = end - start <= shortText;
  for (let i = start; ascii && i < end; i++) ascii = bytes[i]! <= 0x7f;
  if (ascii) return decodeText(bytes, start, end);
  try {
    return strictDecoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}
