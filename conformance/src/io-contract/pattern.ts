/** The bytes that tests send: they tell where in the stream they belong, and repeat only after a prime number of them. */

const length = 65_521;

const table = ((): Uint8Array => {
  // Twice, so that any stretch of up to one length is one subarray.
  const bytes = new Uint8Array(2 * length);
  let state = 0x9e37;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  bytes.copyWithin(length, 0, length);
  return bytes;
})();

/** Bytes of one stretch at most. */
export const longestStretch: number = length;

/** The `size` bytes at `offset`, up to `longestStretch`. Shared memory: not to be written to. */
export function pattern(offset: number, size: number): Uint8Array {
  const start = offset % length;
  return table.subarray(start, start + size);
}

/** Whether a chunk is what belongs at `offset`. */
export function isPattern(chunk: Uint8Array, offset: number): boolean {
  let at = offset % length;
  for (let index = 0; index < chunk.length; index += 1) {
    if (chunk[index] !== table[at]) return false;
    at += 1;
    if (at === length) at = 0;
  }
  return true;
}
