/** Shows every frame to a user's function. Output is looked at as it leaves, so that its writers need not know. */

import { frameOverhead, frameType, protocolHeader } from "../wire/constants.ts";
import { methodId } from "../wire/decode.ts";
import { FrameReader } from "../wire/frame-reader.ts";
import { planOfId } from "../wire/method-plans.ts";
import type { TappedFrame } from "./config.ts";

type Tap = (frame: TappedFrame) => void;

const typeNames = {
  [frameType.method]: "method",
  [frameType.header]: "header",
  [frameType.body]: "body",
  [frameType.heartbeat]: "heartbeat",
} as const;

/** Reports the frames of both directions. */
export class FrameTap {
  readonly #tap: Tap;
  /** Our own frames, read back. Their sizes are ours to choose, so no limit is needed. */
  readonly #sent = new FrameReader(0);
  #headerLeft = protocolHeader.length;
  /** Payload bytes, by direction, of a body frame whose end has not been seen. */
  readonly #pieces = { in: 0, out: 0 };

  constructor(tap: Tap) {
    this.#tap = tap;
  }

  /** A frame, or a piece of a body frame, arrived. */
  received(reader: FrameReader): void {
    this.#report("in", reader);
  }

  /** Output left. */
  sent(segments: readonly Uint8Array[]): void {
    for (const segment of segments) {
      const skipped = Math.min(this.#headerLeft, segment.length);
      this.#headerLeft -= skipped;
      this.#sent.append(segment.subarray(skipped));
    }
    while (this.#sent.next()) this.#report("out", this.#sent);
  }

  #report(direction: TappedFrame["direction"], reader: FrameReader): void {
    const { type, channel, bytes, start, end } = reader;
    const name = typeNames[type as keyof typeof typeNames];
    const method = name === "method" ? planOfId.get(methodId(bytes, start))?.name : undefined;
    const payload = this.#pieces[direction] + end - start;
    this.#pieces[direction] = reader.last ? 0 : payload;
    if (reader.last) this.#show({ direction, type: name, channel, size: payload + frameOverhead, method });
  }

  /** Whoever looks on must not be able to disturb: a frame that was half handled, or output that was half taken, is lost. */
  #show(frame: TappedFrame): void {
    try {
      this.#tap(frame);
    } catch {
      // There is nobody to tell.
    }
  }
}
