/** Messages for consumers, as fast as they take them. */

import type { Batch } from "./deliveries.ts";

/** Where bytes go. `done` is called when they have left, and may be written over. */
export type Write = (bytes: Buffer, done?: () => void) => void;

/** The tags of a channel. */
export interface Tags {
  /** The one that was used last. */
  last: number;
}

/** What can be in flight without acknowledgements before anything was written. */
const batchesInFlight = 3;

/** Deliveries without acknowledgements: whole batches, as fast as the socket takes them. */
export class Flood {
  readonly #write: Write;
  readonly #batch: Batch;
  readonly #tags: Tags;
  #left: number;

  constructor(write: Write, tags: Tags, batch: Batch, count: number) {
    this.#write = write;
    this.#batch = batch;
    this.#tags = tags;
    this.#left = count;
  }

  start(): void {
    const { length } = this.#batch;
    for (let made = 0; made < batchesInFlight && made * length < this.#left; made += 1) {
      this.#send(made === 0 ? this.#batch : this.#batch.copy());
    }
  }

  stop(): void {
    this.#left = 0;
  }

  #send(batch: Batch): void {
    const count = Math.min(this.#left, batch.length);
    if (count === 0) return;
    this.#left -= count;
    const first = this.#tags.last + 1;
    this.#tags.last += count;
    this.#write(batch.stamp(0, count, first), () => this.#send(batch));
  }
}

/** Deliveries that are to be acknowledged: never more than the prefetch at a time, each of them exactly once. */
export class Window {
  readonly #write: Write;
  readonly #batch: Batch;
  readonly #size: number;
  readonly #tags: Tags;
  /** The last tag of the time before. */
  readonly #base: number;
  /** What is outstanding, by tag modulo the length. */
  readonly #outstanding: Uint8Array;
  #sent = 0;
  #count: number;
  /** All up to this tag are settled. */
  #settled = 0;
  outstanding = 0;

  /** @param batch - at least as long as `prefetch`: a place in it is free when its message is acknowledged, so has left. */
  constructor(write: Write, tags: Tags, batch: Batch, count: number, prefetch: number) {
    this.#write = write;
    this.#tags = tags;
    this.#base = tags.last;
    this.#size = prefetch;
    this.#batch = batch;
    this.#outstanding = new Uint8Array(batch.length);
    this.#count = count;
  }

  stop(): void {
    this.#count = this.#sent;
  }

  /** Sends what there is room for. */
  fill(): void {
    const { length } = this.#batch;
    // A message that waits for its acknowledgement keeps those a batch behind it from going out.
    const room = Math.min(this.#size - this.outstanding, this.#settled + length - this.#sent, this.#count - this.#sent);
    let left = room;
    while (left > 0) {
      const from = this.#sent % length;
      const to = Math.min(length, from + left);
      this.#outstanding.fill(1, from, to);
      this.#write(this.#batch.stamp(from, to, this.#base + this.#sent + 1));
      this.#tags.last += to - from;
      this.#sent += to - from;
      this.outstanding += to - from;
      left -= to - from;
    }
  }

  /** @returns whether that was legal. */
  settle(tag: number, multiple: boolean): boolean {
    const { length } = this.#batch;
    const last = tag - this.#base;
    const first = multiple ? this.#settled + 1 : last;
    if (last > this.#sent || last <= this.#settled) return false;
    for (let each = first; each <= last; each += 1) {
      const place = (each - 1) % length;
      if (this.#outstanding[place] === 1) this.outstanding -= 1;
      else if (each === last) return false;
      this.#outstanding[place] = 0;
    }
    while (this.#settled < this.#sent && this.#outstanding[this.#settled % length] === 0) this.#settled += 1;
    return true;
  }
}
