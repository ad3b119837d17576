/**
 * TLS by `node:tls`, over a connection of Deno's. Why not Deno's own TLS: docs/decisions/0003-deno-tls.md.
 *
 * The connection stays Deno's: it is read only when the stream asks for bytes, and closing it ends everything at once.
 * (`node:tls` over a connection of its own loses the end of a stream that was paused.) Node's modules are loaded when
 * they are needed, so that an application without TLS does not pay for them.
 */

import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Socket } from "./socket.ts";
import type { TlsConnectOptions } from "./tls-context.ts";

/** Secures a connection, which it consumes. Closes it when that fails. */
export async function openTls(socket: Socket, options: TlsConnectOptions, signal: AbortSignal): Promise<Socket> {
  const secured = new TlsSocket(socket, options);
  const close = (): void => secured.close();
  signal.addEventListener("abort", close);
  try {
    if (signal.aborted) close();
    await secured.handshake();
    return secured;
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** From the events of `node:tls` to calls that read and write. */
class TlsSocket implements Socket {
  readonly #cipher: CipherStream;
  readonly #tls: TLSSocket;
  /** Decrypted and not read: no more than one read of the connection brings. */
  readonly #held: Uint8Array[] = [];
  #isSecure = false;
  #isOver = false;
  #failure: Error | undefined;
  #onNews: () => void = () => {};
  /** Rejects the call that writes, if there is one: `node:tls` does not say that it calls back after `destroy`. */
  #abandonWrite: (reason: Error) => void = () => {};

  constructor(socket: Socket, options: TlsConnectOptions) {
    this.#cipher = cipherStream(socket, (error) => this.#over(error));
    this.#tls = process.getBuiltinModule("node:tls").connect({ ...options, socket: this.#cipher.duplex });
    this.#tls.on("secureConnect", () => {
      this.#isSecure = true;
      this.#onNews();
    });
    this.#tls.on("data", (bytes: Uint8Array) => {
      this.#held.push(bytes);
      this.#onNews();
    });
    this.#tls.on("end", () => this.#over());
    this.#tls.on("close", () => this.#over());
    this.#tls.on("error", (error) => this.#over(error));
  }

  async handshake(): Promise<void> {
    while (!this.#isSecure && !this.#isOver) await this.#news();
    if (!this.#isSecure) throw this.#failure ?? Object.assign(new Error("The peer ended"), { code: "ECONNRESET" });
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const bytes = this.#held.shift();
      if (bytes !== undefined) return bytes;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return null;
      await this.#news();
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#abandonWrite = reject;
      this.#tls.write(bytes, (error) => (error ? reject(error) : resolve(bytes.length)));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#abandonWrite = reject;
      this.#tls.end(resolve);
    });
  }

  close(): void {
    const reason = new Error("The connection was closed");
    this.#over(reason);
    this.#abandonWrite(reason);
    this.#tls.destroy();
    this.#cipher.duplex.destroy();
  }

  /** Lets the connection read until something happens. */
  async #news(): Promise<void> {
    const news = new Promise<void>((resolve) => {
      this.#onNews = resolve;
    });
    this.#cipher.setReading(true);
    await news;
    this.#cipher.setReading(false);
  }

  #over(failure?: Error): void {
    this.#failure ??= failure;
    this.#isOver = true;
    this.#onNews();
  }
}

interface CipherStream {
  readonly duplex: Duplex;
  setReading(reading: boolean): void;
}

/** The connection as `node:tls` takes one. */
function cipherStream(socket: Socket, failed: (error: Error) => void): CipherStream {
  const { Duplex } = process.getBuiltinModule("node:stream");
  let isReading = false;
  let onReading = (): void => {};

  async function read(): Promise<void> {
    if (!isReading) {
      await new Promise<void>((resolve) => {
        onReading = resolve;
      });
    }
    const bytes = await socket.read();
    duplex.push(bytes === null ? null : bytes.slice());
  }

  async function write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length; ) sent += await socket.write(bytes.subarray(sent));
  }

  const duplex = new Duplex({
    read: () =>
      void read().catch((error: Error) => {
        failed(error);
        duplex.destroy();
      }),
    write: (bytes: Uint8Array, _encoding, done) => void write(bytes).then(() => done(), done),
    final: (done) => void socket.closeWrite().then(() => done(), done),
    destroy: (error, done) => {
      socket.close();
      done(error);
    },
  });
  duplex.on("error", failed);
  return {
    duplex,
    setReading: (reading) => {
      isReading = reading;
      if (reading) onReading();
    },
  };
}
