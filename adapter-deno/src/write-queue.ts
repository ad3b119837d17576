/**
 * What waits to be sent.
 *
 * Deno sends one piece of memory per call, and a call costs about as much as copying 32 KiB: chunks that follow each
 * other are copied together while they are smaller, and large ones are sent from where they are. Measured with frames of
 * 64 bytes and bodies of 4 KiB in turn, this doubles the throughput.
 */

/** Bytes of the memory that small chunks are copied into: what one call sends at most of them. */
export const batchSize = 65_536;
/** The largest chunk that is copied. */
export const largestCopied = 32_768;

/** See the file's comment. */
export class WriteQueue {
  /** Being sent, from `#next` on. Replaced as a whole by what came in meanwhile, so nothing is ever moved. */
  #sending: readonly Uint8Array[] = [];
  #next = 0;
  #waiting: Uint8Array[] = [];
  #batch: Uint8Array | undefined;
  #size = 0;

  /** Bytes that were pushed and not sent. */
  get size(): number {
    return this.#size;
  }

  push(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#waiting.push(chunk);
      this.#size += chunk.length;
    }
  }

  /** What to send next, good until the following call; `undefined` when everything was given out. */
  next(): Uint8Array | undefined {
    if (this.#next === this.#sending.length) {
      this.#sending = this.#waiting;
      this.#waiting = [];
      this.#next = 0;
    }
    const start = this.#next;
    const end = this.#batchEnd(start);
    this.#next = end;
    if (end - start <= 1) return this.#sending[start];

    this.#batch ??= new Uint8Array(batchSize);
    let length = 0;
    for (let index = start; index < end; index += 1) {
      const chunk = this.#sending[index];
      if (chunk === undefined) break;
      this.#batch.set(chunk, length);
      length += chunk.length;
    }
    return this.#batch.subarray(0, length);
  }

  /** So many bytes of what `next` gave out were sent. */
  sent(bytes: number): void {
    this.#size -= bytes;
  }

  clear(): void {
    this.#sending = [];
    this.#waiting = [];
    this.#next = 0;
    this.#size = 0;
  }

  /** Where the chunks end that are sent together, the first of which is at `start`: a large one goes alone. */
  #batchEnd(start: number): number {
    let length = 0;
    for (let index = start; index < this.#sending.length; index += 1) {
      const size = this.#sending[index]?.length ?? 0;
      length += size;
      if (size > largestCopied || length > batchSize) return Math.max(index, start + 1);
    }
    return this.#sending.length;
  }
}
