/** Memory for what is kept of a borrowed chunk: many small copies share one allocation. */

import { copyOf, viewOf } from "../wire/bytes.ts";

/** The first allocation, so that an idle connection holds little; each next one is larger, up to {@link largestSlab}. */
const smallestSlab = 1024;
const largestSlab = 64 * 1024;

/** A copy of more than this gets memory of its own, so that no slab is wasted on it or kept alive by it. */
export const largestShared = 512;

/** Up to this many bytes a loop beats the call into the runtime. */
const loopCopyLimit = 160;
/** What the loop takes at a time: behind the last byte it copies up to seven others. */
const stride = 8;

/** Up to this many bytes a loop beats it where it takes one at a time. */
const smallLoopLimit = 32;

/** Hands out copies, front to back. Memory that was handed out is never written again. */
export class Slab {
  #memory: Uint8Array = new Uint8Array(smallestSlab);
  /** The buffer of all of that memory: to ask an array for its buffer is a call into the runtime. */
  #buffer: ArrayBufferLike = this.#memory.buffer;
  #view: DataView = viewOf(this.#memory);
  #used = 0;
  /** Copies of up to so many bytes get memory of their own. */
  readonly cheapArraySize: number;

  constructor(cheapArraySize = 0) {
    this.cheapArraySize = cheapArraySize;
  }

  /**
   * A copy of `bytes[start..end)`.
   *
   * @param view of `bytes`, where there is one: with it a few are copied faster.
   */
  copy(bytes: Uint8Array, start: number, end: number, view?: DataView): Uint8Array {
    const size = end - start;
    if (size <= this.cheapArraySize) return smallCopyOf(bytes, start, size);
    if (size > largestShared) return copyOf(bytes, start, end);
    if (size + stride > this.#memory.length - this.#used) this.#renew();
    const at = this.#used;
    this.#used += size;
    if (view !== undefined && size <= loopCopyLimit && end + stride <= bytes.length) {
      for (let i = 0; i < size; i += stride) {
        this.#view.setInt32(at + i, view.getInt32(start + i));
        this.#view.setInt32(at + i + 4, view.getInt32(start + i + 4));
      }
    } else {
      this.#memory.set(bytes.subarray(start, end), at);
    }
    // Half the cost of `subarray`.
    return new Uint8Array(this.#buffer, at, size);
  }

  #renew(): void {
    this.#memory = new Uint8Array(Math.min(largestSlab, 4 * this.#memory.length));
    this.#buffer = this.#memory.buffer;
    this.#view = viewOf(this.#memory);
    this.#used = 0;
  }
}

function smallCopyOf(bytes: Uint8Array, start: number, size: number): Uint8Array {
  if (size > smallLoopLimit) return Uint8Array.prototype.slice.call(bytes, start, start + size);
  const copy = new Uint8Array(size);
  for (let i = 0; i < size; i += 1) copy[i] = bytes[start + i] as number;
  return copy;
}
