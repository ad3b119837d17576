/** Streams of frames, and what can be done to them that no peer would do. */

import { frameHeaderSize, frameOverhead, protocolHeader } from "@leveret/core/wire";
import { concat } from "../../broker/codec/octets.ts";
import type { Random } from "../random.ts";

/** Inputs do not grow beyond this. */
export const largestInput = 32_768;

/** Cuts a stream at the ends of its frames. What is no frame is a piece as well. */
export function splitFrames(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  // A client begins with "AMQP", which is no type of frame.
  let at = bytes[0] === protocolHeader[0] ? Math.min(protocolHeader.length, bytes.length) : 0;
  if (at > 0) pieces.push(bytes.subarray(0, at));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  while (at < bytes.length) {
    const size = at + frameHeaderSize <= bytes.length ? view.getUint32(at + 3) + frameOverhead : Infinity;
    const end = Math.min(bytes.length, at + size);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

const weights = {
  "flip-bit": 8,
  "set-octet": 6,
  "change-size": 4,
  "change-channel": 5,
  "change-type": 2,
  "duplicate-frame": 6,
  "drop-frame": 5,
  "swap-frames": 5,
  "insert-frame": 8,
  splice: 4,
  truncate: 2,
  "insert-octets": 3,
  "remove-octets": 3,
} as const;

/** Values at which numbers of 8, 16 and 32 bits go wrong. */
const edges: readonly [number, ...number[]] = [0, 1, 2, 0x7f, 0x80, 0xce, 0xfe, 0xff];
const sizes: readonly [number, ...number[]] = [0, 1, 7, 13, 14, 131_064, 131_065, 0x7fff_ffff, 0xffff_ffff];
const mostMutations = 4;
const mostOctets = 16;

/** Changes a stream in a few places. Frames to insert are made by `makeFrames`, another stream comes from `donor`. */
export function mutate(
  bytes: Uint8Array,
  random: Random,
  makeFrames: () => readonly Uint8Array[],
  donor: () => Uint8Array,
): Uint8Array {
  const frames: Uint8Array[] = splitFrames(bytes).map((frame) => frame.slice());
  for (let left = random.int(1, mostMutations); left > 0; left -= 1) {
    const at = random.int(0, Math.max(0, frames.length - 1));
    const frame = frames[at];
    if (frame === undefined || frame.length === 0) break;
    switch (random.weighted(weights)) {
      case "flip-bit":
        change(frame, random, (octet) => octet ^ (1 << random.int(0, 7)));
        break;
      case "set-octet":
        change(frame, random, () => random.pick(edges));
        break;
      case "change-size":
        if (frame.length >= frameHeaderSize) viewOf(frame).setUint32(3, random.pick(sizes));
        break;
      case "change-channel":
        if (frame.length >= frameHeaderSize) viewOf(frame).setUint16(1, random.pick([0, 1, 2, 3, 0xffff]));
        break;
      case "change-type":
        frame[0] = random.pick([1, 2, 3, 8, 4, 0]);
        break;
      case "duplicate-frame":
        frames.splice(at, 0, frame.slice());
        break;
      case "drop-frame":
        frames.splice(at, 1);
        break;
      case "swap-frames": {
        const other = random.int(0, frames.length - 1);
        frames[at] = frames[other] as Uint8Array;
        frames[other] = frame;
        break;
      }
      case "insert-frame":
        frames.splice(at + 1, 0, ...makeFrames());
        break;
      case "splice": {
        const others = splitFrames(donor());
        frames.splice(at, frames.length, ...others.slice(random.int(0, others.length)).map((other) => other.slice()));
        break;
      }
      case "truncate":
        frames.splice(at, frames.length, frame.slice(0, random.int(0, frame.length)));
        break;
      case "insert-octets": {
        const place = random.int(0, frame.length);
        const octets = Uint8Array.from({ length: random.int(1, mostOctets) }, () => random.int(0, 255));
        frames[at] = concat([frame.subarray(0, place), octets, frame.subarray(place)]);
        break;
      }
      case "remove-octets": {
        const place = random.int(0, frame.length);
        frames[at] = concat([frame.subarray(0, place), frame.subarray(place + random.int(1, mostOctets))]);
        break;
      }
    }
  }
  return concat(frames).slice(0, largestInput);
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

function change(frame: Uint8Array, random: Random, to: (octet: number) => number): void {
  const at = random.int(0, frame.length - 1);
  frame[at] = to(frame[at] as number) & 0xff;
}

/** A number that the same bytes always give (FNV-1a): chance that is drawn from it is replayed by the bytes alone. */
export function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5;
  for (const octet of bytes) hash = Math.imul(hash ^ octet, 0x0100_0193);
  return hash >>> 0;
}

const longestChunk = 3000;
/** Longer inputs are not fed octet by octet: that takes long, and finds nothing that a short one does not. */
const octetByOctet = 1500;

/** Cuts bytes into chunks: small ones, large ones, or all in one. */
export function* chunksOf(bytes: Uint8Array, random: Random): Generator<Uint8Array> {
  const longest = random.pick([bytes.length > octetByOctet ? 100 : 1, 20, longestChunk, largestInput]);
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + random.int(1, longest));
    yield bytes.slice(start, end);
    start = end;
  }
}
