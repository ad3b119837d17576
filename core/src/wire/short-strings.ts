/** One string for the same bytes: consumer tags, exchanges and routing keys repeat with every delivery. */

import { decodeText } from "./text.ts";

/** The number of strings that a {@link ShortStrings} keeps at most. */
export const shortStringCacheSlots = 256;

/** The longest string that is kept, in bytes. Decoding a longer one costs no more than finding it would. */
const shortStringCacheMaxSize = 64;

const nothing: Uint8Array = new Uint8Array(0);
const noTexts: string[] = [];

/**
 * A bounded cache of decoded strings, by their bytes.
 *
 * Each string has one slot, found by a hash of some of its bytes; strings that share a slot push each other out, which costs
 * time and nothing else, because the whole bytes are compared.
 */
export class ShortStrings {
  /** All three are allocated for the first string: an idle connection has none. */
  #texts: string[] = noTexts;
  /** The bytes of the strings, each in its part. */
  #bytes: Uint8Array = nothing;
  #sizes: Uint8Array = nothing;

  /** The string whose UTF-8 is at `start`; malformed sequences are read as U+FFFD. */
  decode(bytes: Uint8Array, start: number, length: number): string {
    if (length === 0) return "";
    if (length > shortStringCacheMaxSize) return decodeText(bytes, start, start + length);
    const slot = slotOf(bytes, start, length);
    if (this.#sizes[slot] === length && this.#isAt(slot, bytes, start, length)) return this.#texts[slot]!;
    return this.#store(slot, bytes, start, length);
  }

  #isAt(slot: number, bytes: Uint8Array, start: number, length: number): boolean {
    const kept = this.#bytes;
    const at = slot * shortStringCacheMaxSize;
    for (let i = 0; i < length; i++) {
      if (kept[at + i] !== bytes[start + i]) return false;
    }
    return true;
  }

  #store(slot: number, bytes: Uint8Array, start: number, length: number): string {
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(shortStringCacheSlots * shortStringCacheMaxSize);
      this.#sizes = new Uint8Array(shortStringCacheSlots);
      this.#texts = new Array<string>(shortStringCacheSlots).fill("");
    }
    const text = decodeText(bytes, start, start + length);
    this.#bytes.set(bytes.subarray(start, start + length), slot * shortStringCacheMaxSize);
    this.#sizes[slot] = length;
    this.#texts[slot] = text;
    return text;
  }
}

/** Every byte of a short string counts, of a longer one about eight, the last among them: names tend to differ at the end. */
function slotOf(bytes: Uint8Array, start: number, length: number): number {
  const step = 1 + (length >> 3);
  let hash = length;
  for (let i = start + length - 1; i >= start; i -= step) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
  return (hash ^ (hash >>> 15)) & (shortStringCacheSlots - 1);
}
