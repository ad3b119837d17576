/** Bytes in tests: written by hand, shown, and put together. */

import { joined } from "../bytes.ts";
import type { Output } from "../output.ts";

/** The bytes of a text of hex digits; white space is for the reader. */
export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.replace(/\s/g, "").match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
}

/** The hex digits of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

/** Everything that was written. */
export function taken(out: Output): Uint8Array {
  return joined(out.take());
}

/** A short string. */
export function shortstr(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return Uint8Array.of(bytes.length, ...bytes);
}
