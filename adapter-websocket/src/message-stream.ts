/** A stream on `WebSocketStream`, which can be told to wait, in both directions. */

import { type ByteStream, StreamGate, type StreamHandler, type TransportError, UsageError } from "@leveret/core/client";
import { broken, closeCause, codeAborted, tailLost, textReceived } from "./failures.ts";
import { readAhead } from "./holding.ts";
import { MessageCutter } from "./message-cutter.ts";
import { highWater, lowWater } from "./socket-stream.ts";
import type { WebSocketStreamLike } from "./standard-types.ts";

type Opened = Awaited<WebSocketStreamLike["opened"]>;
type Reader = ReadableStreamDefaultReader<string | ArrayBuffer | Uint8Array>;
type Writer = WritableStreamDefaultWriter<Uint8Array>;

/** Makes the `WebSocketStream`; it gives up opening when the signal is aborted. */
export type OpenWebSocketStream = (signal: AbortSignal) => WebSocketStreamLike;

/** See the file's comment. */
export class MessageStream implements ByteStream {
  readonly #stream: WebSocketStreamLike;
  readonly #post: (task: () => void) => void;
  readonly #gate: StreamGate;
  readonly #cutter = new MessageCutter();
  readonly #opening = new AbortController();
  #phase: "opening" | "open" | "over" = "opening";
  #writer: Writer | undefined;
  #paused = false;
  /** Bytes that were written, and have not left. */
  #queued = 0;
  /** A write has returned false. */
  #full = false;
  #resumed: () => void = () => {};
  /** The owner has paused for so long that nothing more is read. */
  #stopped = false;
  #closedWhileStopped = false;

  constructor(open: OpenWebSocketStream, handler: StreamHandler, post: (task: () => void) => void) {
    this.#post = post;
    this.#gate = new StreamGate(handler, post, () => this.#drop());
    this.#stream = open(this.#opening.signal);
    this.#stream.closed.then(
      () => {
        this.#closedWhileStopped = this.#stopped;
      },
      // A failure is one of reading, too, and looked at there.
      () => {},
    );
    void this.#run();
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#phase === "opening") throw new UsageError("ILLEGAL_STATE", "A stream takes nothing before it has opened");
    if (this.#phase === "over") return true;
    this.#cutter.cut(chunks, (message) => this.#send(message));
    if (this.#queued >= highWater) this.#full = true;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
    this.#gate.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#gate.resume();
    this.#resumed();
  }

  end(): void {
    if (this.#phase === "opening") return this.abort();
    if (this.#phase === "over") return;
    this.#phase = "over";
    // Waits for what was written.
    this.#writer?.close().catch(() => {});
  }

  abort(): void {
    this.#gate.abort();
    this.#drop();
  }

  async #run(): Promise<void> {
    let opened: Opened;
    try {
      opened = await this.#stream.opened;
    } catch (cause) {
      return this.#gate.closed(broken(false, cause));
    }
    if (this.#phase === "over") return this.#stream.close({ closeCode: codeAborted });
    this.#phase = "open";
    this.#writer = opened.writable.getWriter();
    this.#writer.closed.catch(() => {});
    this.#gate.opened();
    this.#gate.closed(await this.#read(opened.readable.getReader()));
  }

  /** Reads to the end, and gives its cause. */
  async #read(reader: Reader): Promise<TransportError | undefined> {
    try {
      for (;;) {
        while (this.#paused && this.#gate.held >= readAhead) await this.#untilResumed();
        const { done, value } = await reader.read();
        if (done) break;
        if (typeof value === "string") {
          this.#disconnect();
          return textReceived();
        }
        if (value.byteLength === 0) continue;
        this.#gate.received(value instanceof Uint8Array ? value : new Uint8Array(value));
      }
      const { closeCode = 1005, reason = "" } = await this.#stream.closed;
      return this.#closedWhileStopped ? tailLost() : closeCause(closeCode, reason);
    } catch (cause) {
      return broken(true, cause);
    } finally {
      this.#phase = "over";
    }
  }

  async #untilResumed(): Promise<void> {
    this.#stopped = true;
    await new Promise<void>((resolve) => {
      this.#resumed = resolve;
    });
    this.#stopped = false;
  }

  #send(message: Uint8Array): void {
    this.#queued += message.length;
    this.#writer?.write(message).then(
      () => this.#sent(message.length),
      // Reading fails as well.
      () => {},
    );
  }

  #sent(bytes: number): void {
    this.#queued -= bytes;
    if (!this.#full || this.#queued > lowWater || this.#phase === "over") return;
    this.#full = false;
    this.#gate.writable();
  }

  #drop(): void {
    this.#disconnect();
    this.#post(() => this.#gate.closed());
  }

  #disconnect(): void {
    const wasOpening = this.#phase === "opening";
    this.#phase = "over";
    if (wasOpening) return this.#opening.abort();
    this.#stream.close({ closeCode: codeAborted, reason: "aborted" });
    this.#writer?.abort().catch(() => {});
  }
}
