/**
 * The gate between a transport and the owner of a stream: an adapter tells it what happens, and it calls the owner's
 * `StreamHandler` in the order that the I/O contract promises. Every adapter has the same one, so that what no runtime
 * promises by itself (nothing after `closed`, nothing while paused, the end after what came before it) holds for all.
 */

import { type StreamHandler, TransportError } from "./io-services.ts";

/** See the file's comment. An adapter calls it from the loop only, never from inside a call of the owner's. */
export class StreamGate {
  readonly #handler: StreamHandler;
  readonly #post: (task: () => void) => void;
  readonly #drop: () => void;
  /** `"dropped"`: nothing but `closed` is told any more. */
  #state: "opening" | "open" | "dropped" | "closed" = "opening";
  #paused = false;
  /** Chunks that a transport gave after `pause`: TLS decrypts what it has read already, and WebSocket cannot pause. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** The end of the stream, while it waits for `resume`. */
  #ending: { readonly cause: TransportError | undefined } | undefined;
  #cause: TransportError | undefined;

  /**
   * @param drop Ends the transport at once; it calls `closed` afterwards. Called when the owner throws.
   */
  constructor(handler: StreamHandler, post: (task: () => void) => void, drop: () => void) {
    this.#handler = handler;
    this.#post = post;
    this.#drop = drop;
  }

  /** Bytes that wait for `resume`. */
  get held(): number {
    return this.#heldBytes;
  }

  /** The transport is open. */
  opened(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    try {
      this.#handler.opened();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The transport has bytes. The chunk is lent for the call: what has to be held is copied. */
  received(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    if (this.#paused || this.#held.length > 0) {
      // Not `slice`: that of a `Buffer` is a view.
      this.#held.push(new Uint8Array(chunk));
      this.#heldBytes += chunk.length;
      return;
    }
    try {
      this.#handler.received(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Where the transport may put what it reads next; `undefined`: wherever it likes. To be asked behind each `received`.
   * While bytes are held, others come before those that are read next, so there is no place for them yet.
   */
  readTarget(): Uint8Array | undefined {
    if (this.#state !== "open" || this.#paused || this.#held.length > 0) return undefined;
    try {
      return this.#handler.readTarget?.();
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** The transport takes bytes again. */
  writable(): void {
    if (this.#state !== "open") return;
    try {
      this.#handler.writable();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The transport is over. Counts once. */
  closed(cause?: TransportError): void {
    if (this.#ending !== undefined) return;
    this.#ending = { cause };
    this.#finish();
  }

  /** The owner's `pause`. The adapter pauses its transport as well as it can. */
  pause(): void {
    this.#paused = true;
  }

  /** The owner's `resume`. What was held follows on the loop, before anything newer. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#held.length > 0 || this.#ending !== undefined) this.#post(() => this.#release());
  }

  /** The owner's `abort`: nothing but `closed` is told any more, without a cause. */
  abort(): void {
    if (!this.#tellNoMore()) return;
    // An end that waited for `resume` waits no more.
    if (this.#ending !== undefined) this.#post(() => this.#finish());
  }

  #release(): void {
    const held = this.#held;
    let released = 0;
    while (released < held.length && !this.#paused && this.#state === "open") {
      const chunk = held[released++] as Uint8Array;
      this.#heldBytes -= chunk.length;
      try {
        this.#handler.received(chunk);
      } catch (error) {
        this.#fail(error);
      }
    }
    if (this.#state === "open") this.#held = held.slice(released);
    this.#finish();
  }

  #finish(): void {
    if (this.#state === "closed" || this.#ending === undefined) return;
    const waits = this.#state === "open" && (this.#paused || this.#held.length > 0);
    if (waits) return;
    const cause = this.#state === "dropped" ? this.#cause : this.#ending.cause;
    this.#state = "closed";
    this.#handler.closed(cause);
  }

  /** An owner that throws has lost its place in the stream. Going on would hide that, so the stream ends with the reason. */
  #fail(error: unknown): void {
    if (!this.#tellNoMore()) return;
    this.#cause = new TransportError("TRANSPORT_FAILED", "The owner of the stream threw an exception", {
      cause: error,
    });
    this.#drop();
  }

  /** Nothing but `closed` is told from now on. False where that was so already. */
  #tellNoMore(): boolean {
    if (this.#state === "dropped" || this.#state === "closed") return false;
    this.#state = "dropped";
    this.#held = [];
    this.#heldBytes = 0;
    return true;
  }
}
