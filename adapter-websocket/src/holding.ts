/** How much is held for a paused owner, and how much of that there may be. */

import type { StreamHandler } from "@leveret/core/client";

/**
 * Bytes. The standard WebSocket cannot be told to wait, so what a broker sends to a paused client piles up, and the
 * stream ends when it is more than this; a prefetch limit keeps it from happening.
 */
export const heldLimit: number = 64 * 1024 * 1024;

/**
 * Bytes that are read ahead for a paused owner where reading can be stopped.
 *
 * Not 0, because when the other side closes while nobody reads, Chromium's `WebSocketStream` drops what has not been
 * read, and says that all was well. So the last words of a broker get in, and only behind this much they can be lost.
 */
export const readAhead: number = 1024 * 1024;

/** A handler that knows how many of the bytes that went into the stream's gate have not come out of it. */
export class CountingHandler implements StreamHandler {
  readonly #handler: StreamHandler;
  #held = 0;

  constructor(handler: StreamHandler) {
    this.#handler = handler;
  }

  /** Bytes. */
  get held(): number {
    return this.#held;
  }

  /** So many bytes go into the gate. */
  expect(bytes: number): void {
    this.#held += bytes;
  }

  opened(): void {
    this.#handler.opened();
  }

  received(chunk: Uint8Array): void {
    this.#held -= chunk.length;
    this.#handler.received(chunk);
  }

  writable(): void {
    this.#handler.writable();
  }

  closed(...cause: Parameters<StreamHandler["closed"]>): void {
    this.#handler.closed(...cause);
  }
}
