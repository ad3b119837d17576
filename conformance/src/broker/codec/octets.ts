/** Reading and writing numbers and text in octets, big end first. */

const utf8 = new TextDecoder("utf-8");
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Decodes leniently: what is not UTF-8 becomes U+FFFD. */
export function textOf(octets: Uint8Array): string {
  return utf8.decode(octets);
}

export function octetsOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function isUtf8(octets: Uint8Array): boolean {
  try {
    strictUtf8.decode(octets);
    return true;
  } catch {
    return false;
  }
}

/** The unsigned integer of two octets at `at`. A view would do, and costs more than it reads. */
export function shortAt(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

/** The unsigned integer of four octets at `at`. */
export function longAt(octets: Uint8Array, at: number): number {
  return shortAt(octets, at) * 0x1_0000 + shortAt(octets, at + 2);
}

/** Four octets that say a length. */
export function lengthOctets(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
}

export function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function sameOctets(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

/** One character per octet: octets as a key of a map. */
export function binaryString(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}
