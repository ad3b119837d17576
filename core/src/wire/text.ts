/** UTF-8. What is sent must be well-formed; what is received is read leniently where AMQP says "string". */

import { UsageError } from "./errors.ts";

const encoder = new TextEncoder();
// A byte order mark is a character like any other: it is not ours to remove.
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Up to these lengths a loop over ASCII beats a call to the platform's encoder or decoder (`bench/codec.ts`). A UUID has 36.
 */
const shortToEncode = 40;
const shortToDecode = 16;

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
  if (length > shortToEncode) return writeAnyText(buffer, position, text);
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
export function decodeText(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return decodeShortAscii(bytes, start, end) ?? lenientDecoder.decode(bytes.subarray(start, end));
}

/** Reads UTF-8; `undefined` when it is malformed. */
export function decodeStrictText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const ascii = decodeShortAscii(bytes, start, end);
  if (ascii !== undefined) return ascii;
  try {
    return strictDecoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** The text, when it is short and ASCII. */
function decodeShortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > shortToDecode) return undefined;
  const units = new Array<number>(length);
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i]!;
    if (byte > 0x7f) return undefined;
    units[i] = byte;
  }
  return String.fromCharCode.apply(null, units);
}
