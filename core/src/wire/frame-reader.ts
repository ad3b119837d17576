/** The frames in a stream of chunks, however the stream was cut. */

import { copyOf, viewOf } from "./bytes.ts";
import { frameEnd, frameHeaderSize, frameOverhead, frameType, maxFramePayload } from "./constants.ts";
import { ProtocolError, type ProtocolErrorCode } from "./errors.ts";

const nothing: Uint8Array = new Uint8Array(0);
const viewOfNothing = viewOf(nothing);

/** Frames of up to this size that cross chunks are put together in one buffer that is used again and again. */
const scratchSize = 4096;

/** What is copied of a chunk at a time, for messages that lie one behind the other. */
const largestRun = 64 * 1024;

/** The payload of a content header without properties; and where in it the size of the body is. */
const smallestHeader = 14;
const bodySizeAt = 4;

/** Where in a frame the reader is, when it is not inside one chunk. */
const inHeader = 0;
const inHeldPayload = 1;
const inBody = 2;

/**
 * A cursor over the frames of a stream. `append` chunks, then call `next` until it returns false.
 *
 * A frame that lies inside one chunk is read in place. A body frame that does not comes in pieces as its bytes arrive, and
 * other frames are put together in a buffer of their checked size.
 *
 * Chunks are borrowed: they must not change until `next` has returned false, or `detach` was called.
 */
export class FrameReader {
  /** The negotiated frame size; 0 where there is none, so that only {@link maxFramePayload} limits what has to be held. */
  frameMax: number;

  /** The type of the frame: one of {@link frameType}. This and the following are valid until the next call. */
  type = 0;
  channel = 0;
  /** The payload is in `bytes`, from `start` to `end`. */
  bytes: Uint8Array = nothing;
  start = 0;
  end = 0;
  /**
   * Whether the frame ends with this piece. False only for a piece of a body frame whose rest has not arrived; the last piece
   * may then be empty, because it takes the frame's end octet.
   */
  last = true;
  /** Where {@link peekContent} found the payloads of a content header and of a body, in `bytes`. */
  headerStart = 0;
  headerEnd = 0;
  bodyStart = 0;
  bodyEnd = 0;
  /** What {@link copyRun} copied, its buffer, and where in `bytes` it begins. */
  run: Uint8Array = nothing;
  runBuffer: ArrayBufferLike = nothing.buffer;
  runStart = 0;

  #chunk: Uint8Array = nothing;
  #chunkView: DataView = viewOfNothing;
  #offset = 0;
  /** The chunks behind `#chunk`, from `#queueStart` on. */
  readonly #queue: Uint8Array[] = [];
  #queueStart = 0;
  #queueSize = 0;
  /** Whether the chunk in use, and how many of the queue up to which index, are copies of our own. */
  #chunkOwned = true;
  #queueOwned = 0;

  #state: typeof inHeader | typeof inHeldPayload | typeof inBody = inHeader;
  /** Allocated for the first header that crosses chunks. */
  #header: Uint8Array = nothing;
  /** How much of `#header`, or of `#held`, is filled. */
  #filled = 0;
  #held: Uint8Array = nothing;
  #scratch: Uint8Array = nothing;
  /** What is to come of the payload, without the end octet. */
  #left = 0;
  #failure: ProtocolError | undefined;

  constructor(frameMax: number) {
    this.frameMax = frameMax;
  }

  /** A view of `bytes`, where they are a chunk: not where a frame was put together. */
  get view(): DataView | undefined {
    return this.bytes === this.#chunk ? this.#chunkView : undefined;
  }

  /** The bytes that were appended and that `next` has not handed out yet. */
  get unparsed(): number {
    return this.#chunk.length - this.#offset + this.#queueSize + this.#filled;
  }

  /**
   * What is to come of the body frame that the reader is inside of, its end octet included. 0 where it is not inside of
   * one, or has not handed out all that it has.
   */
  get bodyToCome(): number {
    return this.#state === inBody && this.unparsed === 0 ? this.#left + 1 : 0;
  }

  /** Adds the bytes that arrived next. The chunk is borrowed. */
  append(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#failure !== undefined) return;
    if (this.#offset === this.#chunk.length && this.#queueSize === 0) {
      this.#use(chunk, false);
    } else {
      this.#queue.push(chunk);
      this.#queueSize += chunk.length;
    }
  }

  /**
   * Moves to the next frame, or to the next piece of a body frame. False when more bytes are needed; then nothing refers to
   * any chunk any more.
   *
   * @throws ProtocolError FRAME_ERROR for an unknown type of frame, a size over the limit, a wrong end octet, or a heartbeat
   * with a payload; UNEXPECTED_FRAME for a heartbeat on a channel. There is no way on from there: it is thrown again by every
   * call.
   */
  next(): boolean {
    const chunk = this.#chunk;
    const view = this.#chunkView;
    const offset = this.#offset;
    const available = chunk.length - offset;
    if (available >= frameOverhead && this.#state === inHeader && this.#filled === 0) {
      const size = this.#enter(view, offset);
      if (size <= available - frameOverhead) {
        const start = offset + frameHeaderSize;
        const end = start + size;
        if (chunk[end] !== frameEnd) throw this.#wrongEnd();
        this.#offset = end + 1;
        // Mostly it is, and to set it once more is not for nothing: the garbage collector takes note.
        if (this.bytes !== chunk) this.bytes = chunk;
        this.start = start;
        this.end = end;
        this.last = true;
        return true;
      }
    }
    return this.#nextAcrossChunks();
  }

  /**
   * Whether a whole content lies behind the method frame that `next` just gave, in the same chunk: a header, and a body of
   * one frame. That is what most messages look like. Here only what is so beyond doubt counts: for everything else, errors
   * among it, there is `next`, and a caller that never calls this misses nothing but time.
   */
  peekContent(): boolean {
    const chunk = this.#chunk;
    const view = this.#chunkView;
    const header = this.#offset;
    if (this.bytes !== chunk || chunk.length - header < 2 * frameOverhead + smallestHeader) return false;
    if (chunk[header] !== frameType.header || view.getUint16(header + 1) !== this.channel) return false;
    const headerStart = header + frameHeaderSize;
    const headerSize = view.getUint32(header + 3);
    const headerEnd = headerStart + headerSize;
    const body = headerEnd + 1;
    const bodyStart = body + frameHeaderSize;
    if (bodyStart >= chunk.length || chunk[headerEnd] !== frameEnd) return false;
    if (headerSize < smallestHeader || headerSize > maxFramePayload) return false;
    if (chunk[body] !== frameType.body || view.getUint16(body + 1) !== this.channel) return false;
    const size = view.getUint32(body + 3);
    // Where there is no body there is no frame for it either.
    if (size === 0) return false;
    const bodyEnd = bodyStart + size;
    if (bodyEnd >= chunk.length || chunk[bodyEnd] !== frameEnd) return false;
    const announced = headerStart + bodySizeAt;
    if (view.getUint32(announced) !== 0 || view.getUint32(announced + 4) !== size) return false;
    if (this.frameMax !== 0 && Math.max(size, headerSize) > this.frameMax - frameOverhead) return false;
    this.headerStart = headerStart;
    this.headerEnd = headerEnd;
    this.bodyStart = bodyStart;
    this.bodyEnd = bodyEnd;
    return true;
  }

  /** Goes on behind the content that {@link peekContent} found. */
  takeContent(): void {
    this.#offset = this.bodyEnd + 1;
  }

  /**
   * Sees to it that all of the content that {@link peekContent} found, from `start` on, is in `run`. What lies behind is
   * copied with it, as the next contents are mostly there already: that takes half the time of a copy for each.
   */
  copyRun(start: number): void {
    if (this.bodyEnd <= this.runStart + this.run.length) return;
    this.runStart = start;
    this.run = copyOf(this.#chunk, start, start + largestRun);
    this.runBuffer = this.run.buffer;
  }

  /**
   * Copies what is unparsed, so that the caller may reuse the chunks. Bytes are copied at most once, however often this is
   * called. What `bytes` refers to is no longer valid.
   */
  detach(): void {
    this.#release();
    if (!this.#chunkOwned) this.#use(copyOf(this.#chunk, this.#offset, this.#chunk.length), true);
    for (let i = Math.max(this.#queueOwned, this.#queueStart); i < this.#queue.length; i++) {
      this.#queue[i] = copyOf(this.#queue[i]!, 0, this.#queue[i]!.length);
    }
    this.#queueOwned = this.#queue.length;
  }

  #nextAcrossChunks(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    this.#release();
    for (;;) {
      if (this.#offset === this.#chunk.length && !this.#nextChunk()) return false;
      switch (this.#state) {
        case inHeader:
          this.#fillHeader();
          break;
        case inHeldPayload:
          if (this.#fillHeld()) return true;
          break;
        case inBody:
          return this.#bodyPiece();
      }
    }
  }

  /** Takes what there is of a frame header, and enters the frame when that completes it. */
  #fillHeader(): void {
    if (this.#header.length === 0) this.#header = new Uint8Array(frameHeaderSize);
    if (this.#take(this.#header, frameHeaderSize) < frameHeaderSize) return;
    const size = this.#enter(viewOf(this.#header), 0);
    this.#filled = 0;
    this.#left = size;
    if (this.type === frameType.body) {
      this.#state = inBody;
      return;
    }
    this.#state = inHeldPayload;
    this.#held = this.#bufferFor(size + 1);
  }

  /** Takes what there is of a payload and its end octet into the buffer of the frame. */
  #fillHeld(): boolean {
    const size = this.#left;
    if (this.#take(this.#held, size + 1) <= size) return false;
    if (this.#held[size] !== frameEnd) throw this.#wrongEnd();
    this.bytes = this.#held;
    this.start = 0;
    this.end = size;
    this.last = true;
    this.#held = nothing;
    this.#filled = 0;
    this.#state = inHeader;
    return true;
  }

  /** Hands out what the chunk has of a body; at least one byte of it is there, of the body or its end octet. */
  #bodyPiece(): true {
    const start = this.#offset;
    const end = Math.min(start + this.#left, this.#chunk.length);
    this.#left -= end - start;
    this.bytes = this.#chunk;
    this.start = start;
    this.end = end;
    this.last = end < this.#chunk.length;
    this.#offset = end;
    if (this.last) {
      if (this.#chunk[end] !== frameEnd) throw this.#wrongEnd();
      this.#offset = end + 1;
      this.#state = inHeader;
    }
    return true;
  }

  /** Copies from the chunk until `target` is filled to `size` or the chunk is used up; returns how far it is filled. */
  #take(target: Uint8Array, size: number): number {
    const count = Math.min(size - this.#filled, this.#chunk.length - this.#offset);
    target.set(this.#chunk.subarray(this.#offset, this.#offset + count), this.#filled);
    this.#offset += count;
    this.#filled += count;
    return this.#filled;
  }

  #bufferFor(size: number): Uint8Array {
    if (size > scratchSize) return new Uint8Array(size);
    if (this.#scratch.length === 0) this.#scratch = new Uint8Array(scratchSize);
    return this.#scratch;
  }

  /** Goes on to the next chunk, if there is one. */
  #nextChunk(): boolean {
    if (this.#queueSize === 0) {
      this.#use(nothing, true, viewOfNothing);
      return false;
    }
    const index = this.#queueStart++;
    this.#use(this.#queue[index]!, index < this.#queueOwned);
    this.#queue[index] = nothing;
    this.#queueSize -= this.#chunk.length;
    this.#compact();
    return true;
  }

  #use(chunk: Uint8Array, owned: boolean, view = viewOf(chunk)): void {
    this.#chunk = chunk;
    this.#chunkView = view;
    this.#offset = 0;
    this.run = nothing;
    this.runStart = 0;
    this.#chunkOwned = owned;
  }

  /** Drops the used part of the queue, when that is the larger part: in all no entry moves more than once on average. */
  #compact(): void {
    const used = this.#queueStart;
    if (2 * used < this.#queue.length) return;
    this.#queue.splice(0, used);
    this.#queueStart = 0;
    this.#queueOwned = Math.max(0, this.#queueOwned - used);
  }

  /** Takes over the type and the channel of a frame, and returns the size of its payload. Every check is made here. */
  #enter(view: DataView, at: number): number {
    const type = view.getUint8(at);
    const channel = view.getUint16(at + 1);
    const size = view.getUint32(at + 3);
    if (type === frameType.heartbeat) {
      if (size !== 0) throw this.#fail("FRAME_ERROR", "A heartbeat frame has a payload");
      if (channel !== 0) throw this.#fail("UNEXPECTED_FRAME", `A heartbeat frame is on channel ${channel}`);
    } else if (type === 0 || type > frameType.body) {
      throw this.#fail("FRAME_ERROR", `There is no frame of type ${type}`);
    }
    if (this.frameMax !== 0 && size > this.frameMax - frameOverhead) {
      throw this.#fail("FRAME_ERROR", `A frame of ${size + frameOverhead} bytes exceeds the limit of ${this.frameMax}`);
    }
    if (size > maxFramePayload && type !== frameType.body) {
      throw this.#fail("FRAME_ERROR", `A frame that has to be held exceeds the limit of ${maxFramePayload} bytes`);
    }
    this.type = type;
    this.channel = channel;
    return size;
  }

  /** Forgets the payload that was handed out. */
  #release(): void {
    this.bytes = nothing;
    this.start = 0;
    this.end = 0;
  }

  #wrongEnd(): ProtocolError {
    return this.#fail("FRAME_ERROR", "A frame does not end with the frame-end octet");
  }

  /** Nothing can be read any more; nothing is kept. */
  #fail(code: ProtocolErrorCode, message: string): ProtocolError {
    this.#failure = new ProtocolError(code, message);
    this.#release();
    this.#use(nothing, true, viewOfNothing);
    this.#queue.length = 0;
    this.#queueStart = 0;
    this.#queueSize = 0;
    this.#queueOwned = 0;
    this.#held = nothing;
    this.#filled = 0;
    return this.#failure;
  }
}
