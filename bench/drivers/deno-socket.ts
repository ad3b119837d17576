/** A connection of Deno's own, as a bare connection uses one of `node:net`: what `Deno.Conn` allows is measured on it. */

import type { Dial, PlainSocket } from "./bare-connection.ts";

/** As much of `Deno.Conn` as is used: its types are not those of Node. */
interface Conn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  setNoDelay(noDelay: boolean): void;
  close(): void;
}

interface Deno {
  connect(options: { readonly hostname: string; readonly port: number }): Promise<Conn>;
}

const readBufferSize = 64 * 1024;
/** `write` takes one piece of memory: pieces of up to `largestCopied` are copied together, larger ones go alone. */
const batchSize = 264 * 1024;
const largestCopied = 64 * 1024;

export const dialDeno: Dial = async (port, borrowed, receive) => {
  const { Deno } = globalThis as unknown as { readonly Deno: Deno };
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  void readAll(conn, borrowed, receive);
  return new DenoSocket(conn);
};

async function readAll(conn: Conn, borrowed: boolean, receive: (chunk: Buffer) => void): Promise<void> {
  let buffer = Buffer.allocUnsafeSlow(readBufferSize);
  for (;;) {
    const size = await conn.read(buffer);
    if (size === null) break;
    receive(buffer.subarray(0, size));
    if (!borrowed) buffer = Buffer.allocUnsafeSlow(readBufferSize);
  }
  conn.close();
}

class DenoSocket implements PlainSocket {
  readonly #conn: Conn;
  readonly #batch = new Uint8Array(batchSize);
  #pieces: Uint8Array[] = [];
  #isCorked = false;
  #isSending = false;
  #onDrain = (): void => {};

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  cork(): void {
    this.#isCorked = true;
  }

  uncork(): void {
    this.#isCorked = false;
    if (!this.#isSending) void this.#send();
  }

  write(bytes: Uint8Array): boolean {
    this.#pieces.push(bytes);
    if (!this.#isCorked && !this.#isSending) void this.#send();
    return this.#pieces.length === 0;
  }

  once(_event: "drain", listener: () => void): void {
    this.#onDrain = listener;
  }

  /** The broker closes the connection after its last answer. */
  end(): void {}

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#pieces.length > 0) {
      const pieces = this.#pieces;
      this.#pieces = [];
      let batched = 0;
      for (const piece of pieces) {
        const isLarge = piece.length > largestCopied;
        if (isLarge || batched + piece.length > batchSize) {
          await this.#write(this.#batch.subarray(0, batched));
          batched = 0;
        }
        if (isLarge) {
          await this.#write(piece);
        } else {
          this.#batch.set(piece, batched);
          batched += piece.length;
        }
      }
      await this.#write(this.#batch.subarray(0, batched));
    }
    this.#isSending = false;
    this.#onDrain();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length; ) sent += await this.#conn.write(bytes.subarray(sent));
  }
}
