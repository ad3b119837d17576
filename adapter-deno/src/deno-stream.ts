/**
 * A stream over a connection of Deno's: one loop reads, another one writes while there is something to write.
 *
 * Deno reads when it is asked to, so a paused stream is one that does not ask.
 */

import { type ByteStream, StreamGate, type StreamHandler, type TransportError, UsageError } from "@leveret/core/client";
import type { Dial } from "./dial.ts";
import type { Socket } from "./socket.ts";
import { transportError } from "./transport-errors.ts";
import { WriteQueue } from "./write-queue.ts";

/** `write` returns false when so many bytes wait to be sent, `writable` follows at half of it. */
const highWater = 65_536;

/**
 * How long a stream may live on once the peer has ended its side, or sending has failed: nobody may be reading the rest
 * of our output any more, and then the stream would never be over.
 */
const lingerLimit = 1_000;

/** See the file's comment. */
export class DenoStream implements ByteStream {
  readonly #gate: StreamGate;
  readonly #where: string;
  readonly #dialing = new AbortController();
  readonly #output = new WriteQueue();
  #socket: Socket | undefined;
  /** Present while the stream is paused. */
  #pause: Pause | undefined;
  /** Does the loop that writes run? */
  #isSending = false;
  /** The end of that loop, or of the one before. */
  #sent: Promise<void> = Promise.resolve();
  #owesWritable = false;
  /** Was `end` called, or has sending failed? */
  #ended = false;
  #peerEnded = false;
  #closed = false;
  #cause: TransportError | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(dial: Dial, handler: StreamHandler) {
    this.#gate = new StreamGate(handler, setImmediate, () => this.#close());
    this.#where = dial.where;
    void this.#live(dial);
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#ended || this.#closed) return true;
    if (this.#socket === undefined) {
      throw new UsageError("ILLEGAL_STATE", "A stream takes nothing before it has opened");
    }
    this.#output.push(chunks);
    this.#startSending(this.#socket);
    this.#owesWritable ||= this.#output.size >= highWater;
    return !this.#owesWritable;
  }

  pause(): void {
    this.#gate.pause();
    if (!this.#closed) this.#pause ??= newPause();
  }

  resume(): void {
    this.#gate.resume();
    this.#pause?.end();
    this.#pause = undefined;
  }

  end(): void {
    if (this.#socket === undefined) return this.abort();
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#startSending(this.#socket);
  }

  abort(): void {
    this.#gate.abort();
    this.#close();
  }

  async #live(dial: Dial): Promise<void> {
    try {
      this.#socket = await dial.open(this.#dialing.signal);
    } catch (error) {
      return this.#gate.closed(transportError(error, this.#where, undefined));
    }
    // Not every dial can be cancelled.
    if (this.#closed) return this.#socket.close();

    this.#gate.opened();
    await this.#receive(this.#socket);
    if (this.#peerEnded) {
      this.end();
      this.#startLingering();
      await this.#sent;
    }
    this.#close();
    this.#gate.closed(this.#cause);
  }

  async #receive(socket: Socket): Promise<void> {
    try {
      for (;;) {
        while (this.#pause !== undefined) await this.#pause.over;
        const bytes = await socket.read(this.#gate.readTarget());
        if (bytes === null) break;
        this.#gate.received(bytes);
      }
      this.#peerEnded = true;
    } catch (error) {
      this.#failed(error);
    }
  }

  #startSending(socket: Socket): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#sent = this.#send(socket);
  }

  async #send(socket: Socket): Promise<void> {
    try {
      for (let bytes = this.#output.next(); bytes !== undefined; bytes = this.#output.next()) {
        await this.#sendAll(socket, bytes);
      }
      if (this.#ended) await socket.closeWrite();
    } catch (error) {
      // What the peer said before it went can still be read, and the reading loop ends after that.
      this.#failed(error);
      this.#ended = true;
      this.#output.clear();
      this.#startLingering();
    }
    this.#isSending = false;
  }

  /** Deno may take a part only. */
  async #sendAll(socket: Socket, bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length; ) {
      const count = await socket.write(sent === 0 ? bytes : bytes.subarray(sent));
      sent += count;
      this.#output.sent(count);
    }
    if (this.#owesWritable && this.#output.size <= highWater / 2) {
      this.#owesWritable = false;
      this.#gate.writable();
    }
  }

  /** When the peer has said its last word, what goes wrong with ours changes nothing: it ended in good order. */
  #failed(error: unknown): void {
    if (!this.#closed && !this.#peerEnded) this.#cause ??= transportError(error, this.#where, undefined);
  }

  #startLingering(): void {
    if (!this.#closed) this.#linger ??= setTimeout(() => this.#close(), lingerLimit);
  }

  /** Ends everything at once. The loops notice, and the one that reads reports. */
  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#linger);
    this.#output.clear();
    this.#pause?.end();
    this.#pause = undefined;
    if (this.#socket !== undefined) return this.#socket.close();
    this.#dialing.abort();
    setImmediate(() => this.#gate.closed());
  }
}

interface Pause {
  readonly over: Promise<void>;
  end(): void;
}

function newPause(): Pause {
  let end = (): void => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { over, end: () => end() };
}
