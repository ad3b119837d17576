/** Cuts a stream of bytes into WebSocket messages. */

/** Bytes of the largest message. Larger ones gain nothing, and relays limit them. */
export const largestMessage: number = 64 * 1024;

/**
 * The protocol header of AMQP goes first, and gets a message of its own: there are relays that compare the first message
 * with it, and take the connection for something else when they differ.
 */
const firstMessage = 8;

/** The cutting of one stream. */
export class MessageCutter {
  #firstLeft = firstMessage;

  /** Sends the bytes of `chunks` in as few messages as possible. What lies within one chunk is not copied. */
  cut(chunks: readonly Uint8Array[], send: (message: Uint8Array) => void): void {
    let left = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    let index = 0;
    let offset = 0;
    while (left > 0) {
      const size = Math.min(left, this.#firstLeft > 0 ? this.#firstLeft : largestMessage);
      let message: Uint8Array | undefined;
      let filled = 0;
      while (filled < size) {
        const chunk = chunks[index] as Uint8Array;
        const part = chunk.subarray(offset, offset + size - filled);
        if (part.length === size) message = part;
        else (message ??= new Uint8Array(size)).set(part, filled);
        filled += part.length;
        offset += part.length;
        if (offset === chunk.length) {
          index += 1;
          offset = 0;
        }
      }
      if (message !== undefined) send(message);
      left -= size;
      if (this.#firstLeft > 0) this.#firstLeft -= size;
    }
  }
}
