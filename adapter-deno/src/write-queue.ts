/**
 * What waits to be sent.
 *
 * Deno sends one piece of memory per call. A call costs as much as copying tens of KiB, and mostly wakes the peer as well: so
 * chunks that follow each other are copied together, and only very large ones are sent from where they are. With frames of
 * 64 bytes and bodies of 4 KiB in turn this doubles the throughput, with bodies of 64 KiB it saves a quarter of the CPU
 * time, and with those of 1 MiB, which are frames of 128 KiB, a sixteenth.
 */

/**
 * Bytes that one call sends at most of chunks that are copied: the 4 MiB of a full output, with the frames around them. With
 * half of it bodies of 1 MiB gain nothing.
 */
export const batchSize: number = 4400 * 1024;
/** The largest chunk that is copied: twice the frame that RabbitMQ has unless told. */
export const largestCopied: number = 256 * 1024;
/** The memory that chunks are copied into, at first. */
const smallestBatch = 4096;

/** See the file's comment. */
export class WriteQueue {
  /** Being sent, from `#next` on. Replaced as a whole by what came in meanwhile, so nothing is ever moved. */
  #sending: readonly Uint8Array[] = [];
  #next = 0;
  #waiting: Uint8Array[] = [];
  /** What chunks are copied into: as large as was needed yet. */
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
    return this.#join(start, end);
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

  /** Copies the chunks together, which are no longer than a batch. */
  #join(start: number, end: number): Uint8Array {
    const chunks = this.#sending.slice(start, end);
    const needed = chunks.reduce((sum, { length }) => sum + length, 0);
    if (this.#batch === undefined || this.#batch.length < needed) this.#batch = new Uint8Array(batchFor(needed));
    let length = 0;
    for (const chunk of chunks) {
      this.#batch.set(chunk, length);
      length += chunk.length;
    }
    return this.#batch.subarray(0, length);
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

/** Room for so many bytes and some more, so that memory is made few times. */
function batchFor(needed: number): number {
  return Math.min(batchSize, Math.max(smallestBatch, 2 * needed));
}
