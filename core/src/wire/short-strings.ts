/** One string for the same bytes: consumer tags, exchanges and routing keys repeat with every delivery. */

import { decodeText } from "./text.ts";

/** The number of strings that a {@link ShortStrings} keeps at most. */
export const shortStringCacheSlots = 512;

/** The longest string that is kept, in bytes. */
export const shortStringCacheMaxLength = 128;

/**
 * A bounded cache of decoded strings. Strings beyond ASCII and long ones are decoded each time; every string is correct.
 *
 * Each string has one slot, found by a hash of its bytes; two strings of one slot push each other out.
 */
export class ShortStrings {
  readonly #slots: string[] = new Array<string>(shortStringCacheSlots).fill("");

  /** The string whose UTF-8 is at `start`, as {@link decodeText} reads it. */
  decode(bytes: Uint8Array, start: number, length: number): string {
    if (length === 0) return "";
    const end = start + length;
    if (length > shortStringCacheMaxLength) return decodeText(bytes, start, end);
    let hash = length;
    let union = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      union |= byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    if (union > 0x7f) return decodeText(bytes, start, end);
    const slot = (hash ^ (hash >>> 15)) & (shortStringCacheSlots - 1);
    const known = this.#slots[slot]!;
    if (isAscii(known, bytes, start, length)) return known;
    const text = decodeText(bytes, start, end);
    this.#slots[slot] = text;
    return text;
  }
}

function isAscii(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false;
  }
  return true;
}
