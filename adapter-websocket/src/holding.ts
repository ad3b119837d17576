/** A bound on what is held for a paused owner. */

import type { StreamHandler } from "@leveret/core/client";

/**
 * Bytes that are held for a paused owner. The standard WebSocket cannot be told to wait, so what a broker sends to a
 * paused client piles up; a prefetch limit keeps it from doing so.
 */
export const heldLimit: number = 64 * 1024 * 1024;

/** A handler that knows how many of the bytes that went into the stream's gate have not come out of it. */
export class CountingHandler implements StreamHandler {
  readonly #handler: StreamHandler;
  #held = 0;

  constructor(handler: StreamHandler) {
    this.#handler = handler;
  }

  /** Bytes go into the gate. False: there is no room for them. */
  accept(bytes: number): boolean {
    this.#held += bytes;
    return this.#held <= heldLimit;
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
