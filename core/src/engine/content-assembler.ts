/** Puts a message together again: content method, content header, body frames (spec section 4.2.6). */

import { partOf, readLong } from "../wire/bytes.ts";
import { frameOverhead } from "../wire/constants.ts";
import { decodeContentHeader } from "../wire/decode.ts";
import { ProtocolError } from "../wire/errors.ts";
import { basicClass, contentHeaderSize } from "../wire/frame-parts.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import type { ContentMethodName, Method, ServerMethodName } from "../wire/method-types.ts";
import { Content } from "./content.ts";
import { largestShared, type Slab } from "./slab.ts";

/** A content method that a server may send. */
export type ContentMethod = Method<ContentMethodName & ServerMethodName>;

const propertyFlagsSize = 2;
const emptyBody = new Uint8Array(0);

/** A message of more is copied by itself, so that a small part of a chunk keeps no large one alive. */
const largestOfRun = 8 * 1024;

/** The memory that a body gets before any of it arrived. The size that a peer announces is a claim, not a fact. */
const largestFirstAllocation = 1024 * 1024;

/** What is to come of a body from which on it is worth a read of its own: a read costs as much as copying this. */
const worthReading = 32 * 1024;

/**
 * Room behind a lent body: the read that brings its end brings the beginning of the next message as well, so that the next
 * read goes on where that one's body belongs.
 */
const roomBehind = 512;

/** The memory for lent bodies that a channel keeps. */
const largestLentMemory = 4 * 1024 * 1024;

/**
 * The content of one channel as it arrives. Between its frames nothing else may arrive on the channel.
 *
 * Chunks are borrowed, so everything that is kept is copied: once, into its final place.
 */
export class ContentAssembler {
  readonly #slab: Slab;
  readonly #maxBodySize: number;
  #method: ContentMethod | undefined;
  #busy = false;
  #encodedProperties: Uint8Array | undefined;
  /** -1 outside of a body: before its header came, and when it is whole. */
  #bodySize = -1;
  #received = 0;
  #body: Uint8Array = emptyBody;
  /** Whether the last piece of a body was read to where it belongs, so that what follows it is in the same memory. */
  inPlace = false;
  /** Whether the body of the present content is lent. */
  #lends = false;
  /** Where bodies that are lent are put together, one after the other. */
  #lentMemory: Uint8Array = emptyBody;

  constructor(slab: Slab, maxBodySize: number) {
    this.#slab = slab;
    this.#maxBodySize = maxBodySize;
  }

  /** Whether a content is under way, so that no method may arrive. */
  get busy(): boolean {
    return this.#busy;
  }

  /** The method of the content that is under way, or was finished last. */
  get method(): ContentMethod | undefined {
    return this.#method;
  }

  /** A content method arrived. With `lends` its body is good until the next content of the channel, or chunk. */
  begin(method: ContentMethod, lends = false): void {
    this.#method = method;
    this.#lends = lends;
    this.#busy = true;
  }

  /**
   * Takes the whole content that the reader found behind its method: the short way, for what is correct. `undefined` when
   * it has to be taken frame by frame, for the error that this gives.
   */
  whole(reader: FrameReader, lends: boolean): Content | undefined {
    const { bytes, view, headerStart, headerEnd, bodyStart, bodyEnd } = reader;
    const size = bodyEnd - bodyStart;
    if (size > this.#maxBodySize || readLong(bytes, headerStart) !== basicClass << 16) return undefined;
    const slab = this.#slab;
    const propertiesStart = headerStart + contentHeaderSize;
    const bare = isBare(bytes, propertiesStart, headerEnd);
    const large = bodyEnd - propertiesStart > largestOfRun;
    // Of a small message, memory that many share has room for what there is, or for what no other will follow.
    const fits = size <= largestShared && (bare || bodyEnd + 1 === bytes.length);
    if (lends || large || fits) {
      const body = lends ? partOf(bytes, bodyStart, bodyEnd) : slab.copy(bytes, bodyStart, bodyEnd, view);
      return new Content(body, bare ? undefined : slab.copy(bytes, propertiesStart, headerEnd, view));
    }
    // Properties, the few octets between the frames, and the body: one copy for all.
    reader.copyRun(propertiesStart);
    const { run, runBuffer, runStart } = reader;
    const body =
      size <= slab.cheapArraySize
        ? slab.copy(bytes, bodyStart, bodyEnd)
        : new Uint8Array(runBuffer, bodyStart - runStart, size);
    return new Content(body, run, propertiesStart - runStart, headerEnd - runStart);
  }

  /**
   * Takes the payload of a content header frame. Returns the content when that was all of it.
   *
   * @throws ProtocolError UNEXPECTED_FRAME out of order; RESOURCE_ERROR when the body exceeds the limit.
   */
  header(bytes: Uint8Array, start: number, end: number): Content | undefined {
    if (!this.#busy || this.#bodySize !== -1) throw unexpected("a content header");
    const { classId, bodySize, propertiesStart } = decodeContentHeader(bytes, start, end);
    if (classId !== basicClass) throw unexpected(`a content header of class ${classId}`);
    if (bodySize > this.#maxBodySize) {
      throw new ProtocolError(
        "RESOURCE_ERROR",
        `A message of ${bodySize} bytes exceeds the limit of ${this.#maxBodySize} (limits.maxBodySize)`,
      );
    }
    this.#encodedProperties = isBare(bytes, propertiesStart, end)
      ? undefined
      : this.#slab.copy(bytes, propertiesStart, end);
    this.#bodySize = bodySize;
    this.#received = 0;
    return bodySize === 0 ? this.#finish() : undefined;
  }

  /**
   * Takes the payload of a body frame, or a piece of it. Returns the content when `frameEnds` and that was all of it.
   *
   * @throws ProtocolError UNEXPECTED_FRAME out of order; FRAME_ERROR when there is more than was announced.
   */
  body(bytes: Uint8Array, start: number, end: number, frameEnds: boolean): Content | undefined {
    if (this.#bodySize === -1) throw unexpected("a content body");
    const size = end - start;
    const total = this.#received + size;
    if (total > this.#bodySize) {
      throw new ProtocolError("FRAME_ERROR", `A body of ${this.#bodySize} bytes was announced, and more arrived`);
    }
    const place = this.#body.byteOffset + this.#received;
    this.inPlace = bytes.buffer === this.#body.buffer && bytes.byteOffset + start === place;
    if (this.inPlace) {
      // The transport has read it to where it belongs.
    } else if (size === this.#bodySize && this.#lends && frameEnds) {
      // Without its end octet the frame would go on in the next chunk, when this one is no longer there.
      this.#body = partOf(bytes, start, end);
    } else if (size === this.#bodySize && !this.#lends) {
      this.#body = this.#slab.copy(bytes, start, end);
    } else if (size > 0) {
      this.#reserve(total);
      this.#body.set(bytes.subarray(start, end), this.#received);
    }
    this.#received = total;
    return frameEnds && total === this.#bodySize ? this.#finish() : undefined;
  }

  /**
   * Where the transport may read to what it gives to {@link body} next, where the reader is inside of a frame of it. Only for
   * lent bodies of several frames. Others lie in the chunk, or in memory that is their receiver's: there it is the memory
   * that costs, and not the copy.
   */
  target({ bodyToCome, frameMax }: FrameReader): Uint8Array | undefined {
    const ofFrame = bodyToCome - 1;
    const ofBody = this.#bodySize - this.#received;
    if (!this.#lends || ofFrame < 0 || ofFrame > ofBody) return undefined;
    const isWorthIt = ofFrame < ofBody && Math.min(ofBody, frameMax || ofBody) >= worthReading;
    if (!this.inPlace && !isWorthIt) return undefined;
    this.#reserve(this.#received + 1);
    // The header of the next frame comes along, and its payload is read over it.
    const end = this.#received + (ofFrame < ofBody ? ofFrame + frameOverhead : ofBody + roomBehind);
    return this.#body.subarray(this.#received, end);
  }

  /** Makes room for `total` bytes: all at once for a body of usual size, by doubling for one that is only claimed to be large. */
  #reserve(total: number): void {
    if (total <= this.#body.length) return;
    const size = Math.min(this.#bodySize, Math.max(total, largestFirstAllocation, 2 * this.#body.length));
    const grown = this.#lends ? this.#lendable(size + roomBehind) : new Uint8Array(size);
    grown.set(this.#body.subarray(0, this.#received));
    this.#body = grown;
  }

  /** Memory of earlier bodies, unless this body is very large: that is not kept. */
  #lendable(size: number): Uint8Array {
    if (size > this.#lentMemory.length) {
      const made = new Uint8Array(size);
      if (size > largestLentMemory) return made;
      this.#lentMemory = made;
    }
    return this.#lentMemory.subarray(0, size);
  }

  /** Nothing is lent any more. */
  endLending(): void {
    this.#lentMemory = emptyBody;
  }

  #finish(): Content {
    const body = this.#lends ? this.#body.subarray(0, this.#bodySize) : this.#body;
    const content = new Content(body, this.#encodedProperties);
    this.#busy = false;
    this.#encodedProperties = undefined;
    this.#bodySize = -1;
    this.#body = emptyBody;
    return content;
  }
}

/** Most messages of simple publishers have no property at all. */
function isBare(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === propertyFlagsSize && bytes[start] === 0 && bytes[start + 1] === 0;
}

function unexpected(what: string): ProtocolError {
  return new ProtocolError("UNEXPECTED_FRAME", `Got ${what}, which was not due`);
}
