/** Memory for what is kept of a borrowed chunk: many small copies share one allocation. */

import { copyOf } from "../wire/bytes.ts";

/** The first allocation, so that an idle connection holds little; each next one is larger, up to {@link largestSlab}. */
const smallestSlab = 1024;
const largestSlab = 64 * 1024;

/** A copy of more than this gets memory of its own, so that no slab is wasted on it or kept alive by it. */
const largestShared = largestSlab / 8;

/** Up to this many bytes a loop beats the call into the runtime. */
const loopCopyLimit = 32;

const noMemory: Uint8Array = new Uint8Array(0);

/** Hands out copies, front to back. Memory that was handed out is never written again. */
export class Slab {
  /** Where in its memory the copy is that {@link put} made last. */
  start = 0;
  #memory: Uint8Array = noMemory;
  #used = 0;

  /** A copy of `bytes[start..end)`. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const memory = this.put(bytes, start, end);
    const size = end - start;
    // Half the cost of `subarray`.
    return memory.length === size ? memory : new Uint8Array(memory.buffer, this.start, size);
  }

  /**
   * Copies `bytes[start..end)`, and returns the memory that has the copy from {@link start} on: a view of each copy would
   * cost more than the bytes of a small one.
   */
  put(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    if (size > largestShared) {
      this.start = 0;
      return copyOf(bytes, start, end);
    }
    if (size > this.#memory.length - this.#used) {
      this.#memory = new Uint8Array(Math.min(largestSlab, Math.max(smallestSlab, 4 * this.#memory.length, size)));
      this.#used = 0;
    }
    const memory = this.#memory;
    const at = this.#used;
    this.start = at;
    this.#used = at + size;
    if (size <= loopCopyLimit) {
      for (let i = 0; i < size; i += 1) memory[at + i] = bytes[start + i] as number;
    } else {
      memory.set(bytes.subarray(start, end), at);
    }
    return memory;
  }
}
