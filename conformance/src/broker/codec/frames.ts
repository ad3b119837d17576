/**
 * The frames that a client sends, read as RabbitMQ reads them.
 *
 * This is not the wire layer's `FrameReader`: a broker forgives other things than a client (8 octets above frame-max),
 * and words its refusals in its own way. That two readers of frames meet in every test is welcome: neither can hide the
 * other's mistakes.
 */

import { frameEnd, frameHeaderSize, frameType } from "@leveret/core/wire";
import { Refusal } from "../failures.ts";
import { Deque } from "../lib/deque.ts";
import { concat, longAt, shortAt } from "./octets.ts";

/** How far a payload may exceed what frame-max leaves for it (RabbitMQ's own tolerance). */
const tolerance = 8;

/** The octets around a payload. */
const overhead = frameHeaderSize + 1;

/** The most octets of a refused payload that are shown to the client. */
const shownOctets = 32;

const nothing: Uint8Array = new Uint8Array(0);

/** A frame. The payload is borrowed: it is valid until the next call of {@link FrameSource.next}. */
export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Uint8Array;
}

/** Chunks in, frames out. A frame is put together when it is whole; its size is checked as soon as it is known. */
export class FrameSource {
  /** The negotiated limit; 0 for none. */
  frameMax: number;

  /** The octets that are being read, from `#offset` on. */
  #piece: Uint8Array = nothing;
  #offset = 0;
  readonly #later: Deque<Uint8Array> = new Deque();
  #size = 0;

  constructor(frameMax: number) {
    this.frameMax = frameMax;
  }

  /** Octets that wait to be read. */
  get waiting(): number {
    return this.#size;
  }

  /** Adds octets. The chunk is borrowed for the call: what is in it is copied, once. */
  append(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#later.push(new Uint8Array(chunk));
    this.#size += chunk.length;
  }

  /**
   * The next frame, `undefined` while it is not whole.
   *
   * @throws Refusal FRAME_ERROR when it is too large or does not end as a frame does; there is no way on from there.
   */
  next(): Frame | undefined {
    if (this.#size < frameHeaderSize) return undefined;
    const header = this.#gather(frameHeaderSize);
    const type = header[0] ?? 0;
    const channel = shortAt(header, 1);
    const size = longAt(header, 3);
    const limit = this.frameMax === 0 ? Number.POSITIVE_INFINITY : this.frameMax - overhead + tolerance;
    if (size > limit) {
      throw frameError(type, nothing, `{frame_too_large,${size},${this.frameMax - overhead}}`);
    }
    if (this.#size < overhead + size) return undefined;
    const whole = this.#gather(overhead + size);
    this.#skip(overhead + size);
    const payload = whole.subarray(frameHeaderSize, frameHeaderSize + size);
    const end = whole[frameHeaderSize + size];
    if (end !== frameEnd) throw frameError(type, payload, `{invalid_frame_end_marker,${end}}`);
    return { type, channel, payload };
  }

  /** The next `count` octets in one piece; they must be there. Each octet is copied at most once for its frame. */
  #gather(count: number): Uint8Array {
    let there = this.#piece.length - this.#offset;
    if (there < count) {
      const parts = [this.#piece.subarray(this.#offset)];
      for (; there < count; there += (parts.at(-1) as Uint8Array).length) parts.push(this.#later.take() as Uint8Array);
      this.#piece = there === (parts[1] as Uint8Array).length ? (parts[1] as Uint8Array) : concat(parts);
      this.#offset = 0;
    }
    return this.#piece.subarray(this.#offset, this.#offset + count);
  }

  #skip(count: number): void {
    this.#offset += count;
    this.#size -= count;
  }
}

/** A method has its class and id, a content header all that comes before the properties. */
const leastSize: Readonly<Record<number, number>> = { [frameType.method]: 4, [frameType.header]: 12 };

/**
 * Checks what a frame says about itself.
 *
 * @throws Refusal FRAME_ERROR or UNEXPECTED_FRAME; the frames behind it can be read.
 */
export function checkFrame({ type, channel, payload }: Frame): void {
  if (payload.length < (leastSize[type] ?? 0)) throw frameError(type, payload, "unknown_frame");
  switch (type) {
    case frameType.method:
      return;
    case frameType.header:
    case frameType.body:
      if (channel === 0) throw unexpectedFrame(type, payload);
      return;
    case frameType.heartbeat:
      if (channel !== 0) throw unexpectedFrame(type, payload);
      if (payload.length > 0) throw frameError(type, payload, "unknown_frame");
      return;
    default:
      throw frameError(type, payload, "unknown_frame");
  }
}

function frameError(type: number, payload: Uint8Array, reason: string): Refusal {
  return new Refusal("FRAME_ERROR", `type ${type}, all octets = ${binary(payload)}: ${reason}`, { blames: "none" });
}

function unexpectedFrame(type: number, payload: Uint8Array): Refusal {
  return new Refusal("UNEXPECTED_FRAME", `type ${type}, all octets = ${binary(payload)}`, { blames: "none" });
}

/** Octets as Erlang prints a binary: in quotes where they are printable, else one number each. */
export function binary(octets: Uint8Array): string {
  if (octets.length === 0) return "<<>>";
  const shown = octets.subarray(0, shownOctets);
  const printable = shown.every((octet) => octet >= 0x20 && octet < 0x7f && octet !== 0x22 && octet !== 0x5c);
  const more = octets.length > shown.length ? "..." : "";
  if (printable) return `<<"${String.fromCharCode(...shown)}"${more}>>`;
  return `<<${shown.join(",")}${more && `,${more}`}>>`;
}
