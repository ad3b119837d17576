/** A stream over a socket of `node:net` or `node:tls`. */

import type { OnReadOpts, Socket } from "node:net";
import {
  type ByteStream,
  StreamGate,
  type StreamHandler,
  type TcpEndpoint,
  type TransportError,
  type UnixEndpoint,
  UsageError,
} from "@leveret/core/client";
import { dial, hostAndPort } from "./dial.ts";
import type { Lend } from "./node-io.ts";
import { transportError } from "./transport-errors.ts";

/**
 * How long the rest of our output may take once the peer has ended its side: nobody may be reading it any more, and
 * then the stream would never be over.
 */
const lingerLimit = 1_000;

const noDial = (): void => {};

/** See the file's comment. */
export class NodeStream implements ByteStream {
  readonly #gate: StreamGate;
  readonly #endpoint: TcpEndpoint | UnixEndpoint;
  /** What passes chunks of `data` events on; `undefined` where the socket reads into a buffer. */
  readonly #lend: Lend | undefined;
  /** Chunks of so many bytes are written by themselves. */
  readonly #apartFrom: number;
  /** Chunks that wait for those before them to leave, so that the socket does not join them. */
  #waiting: Uint8Array[] = [];
  #cancelDial: () => void;
  #socket: Socket | undefined;
  #paused = false;
  /** Was `end` or `abort` called? */
  #ended = false;

  /**
   * @param reading Where reads go, which may be one for many streams: what is in it is only good until the handler
   * returns. Or, where the runtime makes memory for each read, what passes that on.
   * @param apartFrom Chunks of so many bytes are written by themselves; default none.
   * @throws UsageError INVALID_ARGUMENT when certificates or keys of the endpoint cannot be used.
   */
  constructor(
    endpoint: TcpEndpoint | UnixEndpoint,
    handler: StreamHandler,
    reading: Uint8Array | Lend,
    apartFrom: number = Infinity,
  ) {
    this.#gate = new StreamGate(handler, setImmediate, () => this.#drop());
    this.#endpoint = endpoint;
    this.#apartFrom = apartFrom;
    this.#lend = typeof reading === "function" ? reading : undefined;
    this.#cancelDial = dial(endpoint, typeof reading === "function" ? undefined : this.#readInto(reading), {
      won: (socket) => this.#opened(socket),
      failed: (error) => this.#gate.closed(error),
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (this.#ended) return true;
    if (socket === undefined) throw new UsageError("ILLEGAL_STATE", "A stream takes nothing before it has opened");
    if (!socket.writable) return true;
    if (this.#waiting.length > 0) this.#waiting = [...this.#waiting, ...chunks];
    else if (chunks.length === 1) socket.write(chunks[0] as Uint8Array);
    else if (chunks.some((chunk) => chunk.length >= this.#apartFrom)) this.#writeApart(socket, chunks);
    else writeTogether(socket, chunks);
    // While chunks wait, it does.
    return !socket.writableNeedDrain;
  }

  /** Gives the socket chunk by chunk, until it has one to keep and will say when that has left. */
  #writeApart(socket: Socket, chunks: readonly Uint8Array[]): void {
    let written = 0;
    while (written < chunks.length && !(socket.writableLength > 0 && socket.writableNeedDrain)) {
      const chunk = chunks[written] as Uint8Array;
      if (chunk.length > 0) socket.write(chunk);
      written += 1;
    }
    this.#waiting = chunks.slice(written);
  }

  pause(): void {
    this.#paused = true;
    this.#gate.pause();
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#gate.resume();
    this.#socket?.resume();
  }

  end(answered = false): void {
    if (this.#socket === undefined) return this.abort();
    this.#ended = true;
    writeTogether(this.#socket, this.#waiting);
    this.#waiting = [];
    const isPlain = this.#endpoint.transport === "unix" || this.#endpoint.tls === undefined;
    // To wait for the peer's end takes a turn of the loop. TLS has a farewell of its own to send.
    if (answered && isPlain && this.#socket.writableLength === 0) this.#socket.destroy();
    else this.#socket.end();
  }

  abort(): void {
    this.#ended = true;
    this.#gate.abort();
    this.#drop();
  }

  #readInto(buffer: Uint8Array): OnReadOpts {
    return {
      // Asked for at the beginning, and behind each read.
      buffer: () => this.#gate.readTarget() ?? buffer,
      // The buffer is ours, except in old versions of Bun, which read into one of their own.
      callback: (size, filled) => {
        this.#gate.received(filled.subarray(0, size));
        return true;
      },
    };
  }

  get #where(): string {
    const endpoint = this.#endpoint;
    return endpoint.transport === "unix" ? endpoint.path : hostAndPort(endpoint.host, endpoint.port);
  }

  #drop(): void {
    if (this.#socket !== undefined) {
      this.#socket.destroy();
      return;
    }
    this.#cancelDial();
    setImmediate(() => this.#gate.closed());
  }

  #drained(socket: Socket): void {
    this.#writeApart(socket, this.#waiting);
    if (!socket.writableNeedDrain) this.#gate.writable();
  }

  #opened(socket: Socket): void {
    this.#socket = socket;
    // Nothing of the dialing is kept.
    this.#cancelDial = noDial;
    let cause: TransportError | undefined;
    let linger: NodeJS.Timeout | undefined;
    let peerEnded = false;
    const lend = this.#lend;
    if (lend !== undefined) {
      const received = (chunk: Uint8Array): void => this.#gate.received(chunk);
      socket.on("data", (chunk: Uint8Array) => lend(chunk, received));
    }
    socket.on("drain", () => this.#drained(socket));
    socket.on("end", () => {
      peerEnded = true;
      linger = setTimeout(() => socket.destroy(), lingerLimit);
    });
    socket.on("error", (error) => {
      // What goes wrong with our last words, when the peer has said its own, changes nothing: it ended in good order.
      if (!peerEnded) cause = transportError(error, this.#where, undefined);
    });
    socket.on("close", () => {
      clearTimeout(linger);
      this.#gate.closed(cause);
    });
    if (this.#paused) socket.pause();
    this.#gate.opened();
  }
}

function writeTogether(socket: Socket, chunks: readonly Uint8Array[]): void {
  socket.cork();
  for (const chunk of chunks) if (chunk.length > 0) socket.write(chunk);
  socket.uncork();
}
