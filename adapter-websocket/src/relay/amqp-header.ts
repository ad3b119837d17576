/**
 * The one look that the relay takes at what it carries: a client that does not begin with the protocol header of
 * AMQP 0-9-1 does not reach the upstream, so the relay cannot be used to talk to anything else.
 */

/** `AMQP`, 0, and the version 0-9-1 (AMQP 0-9-1 specification, 4.2.2). */
export const amqpHeader: Uint8Array = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1);

/** Collects what comes before the upstream is reached. */
export class AmqpHeaderGate {
  #received: Uint8Array[] = [];
  #size = 0;

  /**
   * Takes the bytes of a message; a header may come in any number of them.
   *
   * @returns false at the first byte that is not of the header.
   */
  take(message: Uint8Array): boolean {
    const checked = Math.max(0, Math.min(message.length, amqpHeader.length - this.#size));
    for (let index = 0; index < checked; index++) {
      if (message[index] !== amqpHeader[this.#size + index]) return false;
    }
    this.#received.push(message);
    this.#size += message.length;
    return true;
  }

  /** Whether the whole header has been seen. */
  get passed(): boolean {
    return this.#size >= amqpHeader.length;
  }

  /** All that was taken, header included, in order; it is not kept any longer, which may be a message of any size. */
  release(): readonly Uint8Array[] {
    const received = this.#received;
    this.#received = [];
    return received;
  }
}
