/** Where frames are written: bytes packed into segments, large bodies in between by reference. */

import { putLong, putLonglong, putShort } from "./bytes.ts";

/** How an {@link Output} packs. */
export interface OutputOptions {
  /** The largest segment, in bytes; 64 KiB unless told. They begin small, and grow with what is written. */
  readonly segmentSize?: number;
  /** Bodies of at least this size, in bytes, are queued by reference instead of being copied; 4096 unless told. */
  readonly referenceThreshold?: number;
}

/** A point in an {@link Output} to go back to. */
export interface Mark {
  readonly pieces: number;
  readonly closedSize: number;
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly position: number;
  readonly takes: number;
}

/**
 * The size of the segment that outputs share which write little: each has it for itself from its first byte to the next
 * {@link Output.take}. So an idle connection holds no segment at all.
 */
const sharedSegmentSize = 4096;
const defaultSegmentSize = 64 * 1024;
const defaultReferenceThreshold = 4096;

/** An output that took less than this part of a segment per `take()` goes back to smaller segments. */
const quietPart = 16;

/** As much of a segment, at most, is left unused, so that what is taken next is one piece. */
const smallTake = 256;

const noSegment: Uint8Array = new Uint8Array(0);

/** The shared segment, while no output has it. What lies before `position` was handed out. */
const shared = { segment: noSegment, position: 0 };

/**
 * A forward-only store of bytes to send.
 *
 * What {@link take} has handed out is never written to again, so a transport may keep it as long as it likes. The methods
 * that write do not check values; the functions that write methods and contents do.
 */
export class Output {
  /** Where the next byte goes in the buffer that {@link reserve} returns. Move it after writing there. */
  position = 0;
  /** Bodies of at least this size are queued by reference. */
  readonly referenceThreshold: number;

  readonly #segmentSize: number;
  #nextSegmentSize: number;
  /** The segment in use, of which the bytes before `#start` are spoken for; empty when there is none. */
  #buffer: Uint8Array = noSegment;
  #start = 0;
  #pieces: Uint8Array[] = [];
  #closedSize = 0;
  #takes = 0;

  constructor(options: OutputOptions = {}) {
    this.#segmentSize = options.segmentSize ?? defaultSegmentSize;
    this.#nextSegmentSize = Math.min(sharedSegmentSize, this.#segmentSize);
    this.referenceThreshold = options.referenceThreshold ?? defaultReferenceThreshold;
  }

  /** The bytes written and not yet taken. */
  get size(): number {
    return this.#closedSize + this.position - this.#start;
  }

  /** Hands out everything written since the last call, in order. The receiver may keep it, and must not change it. */
  take(): Uint8Array[] {
    const taken = this.size;
    this.#close();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#closedSize = 0;
    this.#takes++;
    const isQuiet = taken * quietPart < this.#nextSegmentSize;
    if (isQuiet) this.#shrink();
    if (this.#buffer.length - this.position < Math.min(taken, smallTake)) {
      // Who writes as much again each time would get it in two pieces.
      this.#drop();
      if (!isQuiet) this.#grow();
    } else if (this.#buffer.length === sharedSegmentSize) {
      this.#giveBack();
    }
    return pieces;
  }

  /** Remembers this point, for an encoding that may fail half-way. Valid until the next {@link take}. */
  mark(): Mark {
    return {
      pieces: this.#pieces.length,
      closedSize: this.#closedSize,
      buffer: this.#buffer,
      start: this.#start,
      position: this.position,
      takes: this.#takes,
    };
  }

  /** Forgets everything written since the mark. */
  rollback(mark: Mark): void {
    if (mark.takes !== this.#takes) throw new Error("An output cannot go back behind what was taken");
    this.#pieces.length = mark.pieces;
    this.#closedSize = mark.closedSize;
    this.#buffer = mark.buffer;
    this.#start = mark.start;
    this.position = mark.position;
  }

  /** A buffer with room for `count` bytes from {@link position} on. Valid until the next call of any method. */
  reserve(count: number): Uint8Array {
    if (this.position + count > this.#buffer.length) this.#open(count);
    return this.#buffer;
  }

  /** Writes 8 bits. */
  octet(value: number): void {
    this.reserve(1)[this.position] = value;
    this.position += 1;
  }

  /** Writes 16 bits, big-endian. */
  short(value: number): void {
    putShort(this.reserve(2), this.position, value);
    this.position += 2;
  }

  /** Writes 32 bits, big-endian. */
  long(value: number): void {
    putLong(this.reserve(4), this.position, value);
    this.position += 4;
  }

  /** A negative value is written as its two's complement. */
  longlong(value: number | bigint): void {
    const buffer = this.reserve(8);
    if (typeof value === "number") {
      putLonglong(buffer, this.position, value);
    } else {
      putLong(buffer, this.position, Number(BigInt.asUintN(32, value >> 32n)));
      putLong(buffer, this.position + 4, Number(BigInt.asUintN(32, value)));
    }
    this.position += 8;
  }

  /** Writes an IEEE 754 number of 32 bits. */
  float(value: number): void {
    this.#view(4).setFloat32(0, value);
    this.position += 4;
  }

  /** Writes an IEEE 754 number of 64 bits. */
  double(value: number): void {
    this.#view(8).setFloat64(0, value);
    this.position += 8;
  }

  /** Copies `bytes`. */
  bytes(bytes: Uint8Array): void {
    const buffer = this.reserve(bytes.length);
    buffer.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** Queues `bytes` themselves. Nobody may change them until they have left. */
  reference(bytes: Uint8Array): void {
    this.#close();
    this.#pieces.push(bytes);
    this.#closedSize += bytes.length;
  }

  #view(count: number): DataView {
    const buffer = this.reserve(count);
    return new DataView(buffer.buffer, buffer.byteOffset + this.position, count);
  }

  /** Makes a piece of what was written since the last piece. */
  #close(): void {
    if (this.position === this.#start) return;
    this.#pieces.push(this.#buffer.subarray(this.#start, this.position));
    this.#closedSize += this.position - this.#start;
    this.#start = this.position;
  }

  #open(count: number): void {
    this.#close();
    // Who fills a segment gets a larger one next.
    if (this.#buffer !== noSegment) this.#grow();
    const size = Math.max(this.#nextSegmentSize, count);
    if (size === sharedSegmentSize) return this.#borrow(count);
    this.#buffer = new Uint8Array(size);
    this.#start = 0;
    this.position = 0;
  }

  /** Takes the shared segment, or makes another one. */
  #borrow(count: number): void {
    const fits = shared.position + count <= shared.segment.length;
    this.#buffer = fits ? shared.segment : new Uint8Array(sharedSegmentSize);
    this.#start = fits ? shared.position : 0;
    this.position = this.#start;
    if (fits) shared.segment = noSegment;
  }

  #giveBack(): void {
    shared.segment = this.#buffer;
    shared.position = this.position;
    this.#drop();
  }

  #grow(): void {
    this.#nextSegmentSize = Math.min(2 * this.#nextSegmentSize, this.#segmentSize);
  }

  /** A connection that has gone quiet does not keep the segment of its busiest moment. */
  #shrink(): void {
    const smallest = Math.min(sharedSegmentSize, this.#segmentSize);
    this.#nextSegmentSize = Math.max(smallest, this.#nextSegmentSize / 2);
    const largest = this.#nextSegmentSize === sharedSegmentSize ? sharedSegmentSize : 4 * this.#nextSegmentSize;
    if (this.#buffer.length > largest) this.#drop();
  }

  #drop(): void {
    this.#buffer = noSegment;
    this.#start = 0;
    this.position = 0;
  }
}
