/** A stream on the standard `WebSocket`. */

import {
  type ByteStream,
  type IoServices,
  StreamGate,
  type StreamHandler,
  type TransportError,
  UsageError,
} from "@leveret/core/client";
import { broken, closeCause, codeAborted, textReceived, tooMuchHeld } from "./failures.ts";
import { heldLimit } from "./holding.ts";
import { MessageCutter } from "./message-cutter.ts";
import type { CloseLike, WebSocketLike } from "./standard-types.ts";

/** Bytes that wait to be sent: a stream is full from the first mark on, and takes more again from the second down. */
export const highWater: number = 1024 * 1024;
export const lowWater: number = 256 * 1024;

/** A WebSocket does not say when it has sent something; this is how often it is asked, in milliseconds. */
const firstPoll = 4;
const slowestPoll = 64;

/** See the file's comment. */
export class SocketStream implements ByteStream {
  readonly #socket: WebSocketLike;
  readonly #io: Pick<IoServices, "post" | "setTimer">;
  readonly #gate: StreamGate;
  readonly #cutter = new MessageCutter();
  /** `"ended"`: we have ended it, and wait for the other side; `"over"`: nothing that the socket says counts any more. */
  #phase: "opening" | "open" | "ended" | "over" = "opening";
  #paused = false;
  /** What the runtime said of a failure, if it says anything. */
  #failure: unknown;
  /** A write has returned false. */
  #full = false;
  #cancelPoll: () => void = () => {};

  constructor(socket: WebSocketLike, handler: StreamHandler, io: Pick<IoServices, "post" | "setTimer">) {
    this.#socket = socket;
    this.#io = io;
    this.#gate = new StreamGate(handler, io.post, () => this.#drop());
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#opened());
    socket.addEventListener("message", ({ data }) => this.#received(data));
    socket.addEventListener("error", (event) => {
      // Standard is an event without a word; Node, Deno, Bun and ws have one.
      const { error, message } = event as { readonly error?: unknown; readonly message?: unknown };
      this.#failure ??= error ?? message;
      // A `close` follows: at once, or in ws half a minute later, or in Node 22, if it never opened, not at all.
      io.post(() => this.#fail(this.#broken()));
    });
    socket.addEventListener("close", (event) => this.#closed(event));
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#phase === "opening") throw new UsageError("ILLEGAL_STATE", "A stream takes nothing before it has opened");
    if (this.#phase !== "open") return true;
    this.#cutter.cut(chunks, (message) => this.#socket.send(message));
    if (!this.#full && this.#socket.bufferedAmount >= highWater) {
      this.#full = true;
      this.#poll(firstPoll);
    }
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
    this.#gate.pause();
    this.#socket.pause?.();
  }

  resume(): void {
    this.#paused = false;
    this.#gate.resume();
    this.#socket.resume?.();
  }

  end(): void {
    if (this.#phase === "opening") return this.abort();
    if (this.#phase !== "open") return;
    this.#sendNoMore("ended");
    // Sends what was written first. There is no half-close: what the peer says from now on is dropped by the runtime.
    this.#socket.close(1000);
  }

  abort(): void {
    this.#gate.abort();
    this.#drop();
  }

  #opened(): void {
    if (this.#phase !== "opening") return;
    this.#phase = "open";
    // One that was still opening could not be paused.
    if (this.#paused) this.#socket.pause?.();
    this.#gate.opened();
  }

  #received(data: unknown): void {
    if (this.#phase === "over") return;
    // By what it has, not by its class: that may be of another realm.
    const { byteLength } = data as Partial<ArrayBuffer>;
    if (byteLength === undefined) return this.#fail(textReceived());
    if (this.#gate.held + byteLength > heldLimit) return this.#fail(tooMuchHeld());
    if (byteLength > 0) this.#gate.received(new Uint8Array(data as ArrayBuffer));
    // The timers of a page in the background are slow, but messages arrive.
    this.#writableOrNot();
  }

  #closed({ code, reason, wasClean }: CloseLike): void {
    this.#fail(wasClean ? closeCause(code, reason) : this.#broken());
  }

  #broken(): TransportError {
    return broken(this.#phase !== "opening", this.#failure);
  }

  #poll(delay: number): void {
    this.#cancelPoll = this.#io.setTimer(delay, () => {
      this.#writableOrNot();
      if (this.#full) this.#poll(Math.min(slowestPoll, delay * 2));
    });
  }

  #writableOrNot(): void {
    if (!this.#full || this.#socket.bufferedAmount > lowWater) return;
    this.#cancelPoll();
    this.#full = false;
    this.#gate.writable();
  }

  /** The end. The owner hears of it behind what it has not been given yet. */
  #fail(cause: TransportError | undefined): void {
    if (this.#phase === "over") return;
    this.#disconnect();
    this.#gate.closed(cause);
  }

  #drop(): void {
    this.#disconnect();
    this.#io.post(() => this.#gate.closed());
  }

  #disconnect(): void {
    // First: Node's WebSocket says `close` within the call of `close`.
    this.#sendNoMore("over");
    this.#socket.terminate?.();
    this.#socket.close(codeAborted, "aborted");
  }

  #sendNoMore(phase: "ended" | "over"): void {
    this.#phase = phase;
    this.#full = false;
    this.#cancelPoll();
  }
}
