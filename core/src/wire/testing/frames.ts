/** Frames in tests: built by hand, and collected from a reader. */

import { frameEnd, frameHeaderSize } from "../constants.ts";
import type { FrameReader } from "../frame-reader.ts";
import { toHex } from "./bytes.ts";

/** A whole frame. */
export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Uint8Array;
}

/** The bytes of a frame. */
export function frameBytes({ type, channel, payload }: Frame): Uint8Array {
  const bytes = new Uint8Array(frameHeaderSize + payload.length + 1);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint16(1, channel);
  view.setUint32(3, payload.length);
  bytes.set(payload, frameHeaderSize);
  view.setUint8(bytes.length - 1, frameEnd);
  return bytes;
}

/** A frame as a line of text, which is quick to compare. */
export function frameLine({ type, channel, payload }: Frame): string {
  return `${type} ${channel} ${toHex(payload)}`;
}

/** Collects the frames of a reader as lines, the pieces of body frames joined. */
export class FrameCollector {
  readonly lines: string[] = [];
  #pieces = "";

  /** Reads until the reader needs more. */
  drain(reader: FrameReader): void {
    while (reader.next()) {
      const { type, channel, bytes, start, end, last } = reader;
      this.#pieces += toHex(bytes.subarray(start, end));
      if (!last) continue;
      this.lines.push(`${type} ${channel} ${this.#pieces}`);
      this.#pieces = "";
    }
  }
}
