/** A connection as a stream uses it: one call at a time reads, and one writes. */

/** See the file's comment. */
export interface Socket {
  /**
   * Waits for bytes, at least one, which are good until the next call. Resolves with null at the end.
   *
   * @param target where they may go, from its beginning on, in place of memory of the socket's own.
   */
  read(target?: Uint8Array): Promise<Uint8Array | null>;
  /** Sends the first bytes of `bytes`, at least one. Resolves with their number, when `bytes` may be written to again. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends our side. */
  closeWrite(): Promise<void>;
  /** Ends both sides at once. Calls that are under way reject. */
  close(): void;
}

/**
 * Bytes of one read: few for who receives little, as a read that waits holds its memory, and more after each read that fills
 * them. With 256 KiB at most, messages of 16 bytes are a tenth cheaper, and those from 1 KiB on a tenth dearer. On a busy
 * machine reads of 512 KiB are cheaper for all, and on a quiet one a lent body of 64 KiB takes 12 us in place of 8.
 */
const smallestRead = 16 * 1024;
const largestRead = 64 * 1024;

/** A connection of Deno's. */
export class DenoSocket implements Socket {
  readonly #conn: Deno.Conn;
  #buffer = new Uint8Array(smallestRead);
  #closed = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async read(target: Uint8Array = this.#buffer): Promise<Uint8Array | null> {
    const size = await this.#conn.read(target);
    if (size === null) return null;
    if (target === this.#buffer && size === target.length && size < largestRead) {
      this.#buffer = new Uint8Array(2 * size);
    }
    return target.subarray(0, size);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** May be called any number of times; Deno throws at the second. */
  close(): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }
}
