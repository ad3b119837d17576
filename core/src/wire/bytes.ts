/** What counts as bytes. */

/**
 * Whether a value is a `Uint8Array`, also one of another realm (a `Buffer` inside a test runner's sandbox, a value from
 * another window), for which `instanceof` is false.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || Object.prototype.toString.call(value) === "[object Uint8Array]";
}

/** A copy of a part of `bytes`. (`slice` would not do: that of a Node `Buffer` is a view.) */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

/** A view of a part of `bytes`. (`subarray` would not do: that of a Node `Buffer` is a `Buffer`, whose `slice` is a view.) */
export function partOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

const twoTo32 = 0x1_0000_0000;

/** The unsigned 16-bit integer at `at`. */
export function readShort(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The unsigned 32-bit integer at `at`. */
export function readLong(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** The unsigned 64-bit integer at `at`; not exact beyond 2^53, but beyond 2^53 then. */
export function readLonglong(bytes: Uint8Array, at: number): number {
  return longlong(readLong(bytes, at), readLong(bytes, at + 4));
}

/** As {@link readLonglong}, of two halves. */
export function longlong(high: number, low: number): number {
  // A product, even with 0, would be an object in the heap: a number that may have a fraction.
  return high === 0 ? low : high * twoTo32 + low;
}

/** A view of the same bytes: it reads four for the price of one. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes the lower 16 bits of `value` at `at`. */
export function putShort(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Writes the lower 32 bits of `value` at `at`. */
export function putLong(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes an integral number within 64 bits at `at`, a negative one as its two's complement. */
export function putLonglong(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / twoTo32);
  putLong(bytes, at, high);
  putLong(bytes, at + 4, value - high * twoTo32);
}

/** The pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const piece of pieces) size += piece.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
