/** What a connection has to send: written now, taken by the driver when it likes, or held back on request. */

import { Output } from "@leveret/core/wire";
import { Deque } from "../lib/deque.ts";
import type { Millis } from "../lib/timers.ts";

interface HeldPiece {
  readonly due: Millis;
  readonly bytes: Uint8Array;
}

const nothing: readonly Uint8Array[] = [];

/** Bytes on their way out. */
export class Outbox {
  /** Where frames are written. */
  readonly output: Output = new Output();
  /** Everything that is written waits so long before it may leave. */
  delay: Millis = 0;
  /** Nothing leaves. */
  isFrozen = false;
  readonly #held = new Deque<HeldPiece>();
  #heldSize = 0;
  #taken = 0;

  /** Bytes that were written and not taken. */
  get size(): number {
    return this.output.size + this.#heldSize;
  }

  /** Bytes that were ever written. */
  get total(): number {
    return this.#taken + this.size;
  }

  /** When the next held bytes may leave. */
  get nextDue(): Millis | undefined {
    return this.isFrozen ? undefined : this.#held.peek()?.due;
  }

  /** Sends bytes that no codec made. */
  raw(bytes: Uint8Array): void {
    this.output.bytes(bytes);
  }

  /** Starts the delay of what was written. */
  hold(now: Millis): void {
    if (this.delay === 0 && this.#held.length === 0) return;
    for (const bytes of this.output.take()) {
      this.#held.push({ due: now + this.delay, bytes });
      this.#heldSize += bytes.length;
    }
  }

  /** Takes what may leave now. */
  take(now: Millis): readonly Uint8Array[] {
    if (this.isFrozen) return nothing;
    this.hold(now);
    const pieces = this.#held.length === 0 ? this.output.take() : this.#takeHeld(now);
    for (const { length } of pieces) this.#taken += length;
    return pieces;
  }

  /** Forgets everything. */
  clear(): void {
    this.output.take();
    this.#held.clear();
    this.#heldSize = 0;
  }

  #takeHeld(now: Millis): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let piece = this.#held.peek(); piece !== undefined && piece.due <= now; piece = this.#held.peek()) {
      this.#held.take();
      this.#heldSize -= piece.bytes.length;
      pieces.push(piece.bytes);
    }
    return pieces;
  }
}
