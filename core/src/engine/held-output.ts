/** What a channel sends behind the end of a transaction, or behind a change of its mode. */

import type { FrameWriter } from "./frame-writer.ts";

/**
 * Holds back what was called after a `tx.commit`, `tx.rollback`, `tx.select` or `confirm.select`, because publishes and acks
 * do not wait for requests: they would overtake one that waits, and become part of a transaction that they do not belong
 * to, or of none, or would never be confirmed. Nor may they follow a commit before it was answered: RabbitMQ before 4.3
 * closes the connection for that.
 */
export class HeldOutput {
  readonly #direct: FrameWriter;
  /** One for each of these that is to come, in order. */
  readonly #holds: FrameWriter[] = [];

  /** @param direct - The output of the connection. */
  constructor(direct: FrameWriter) {
    this.#direct = direct;
  }

  /** Where output goes at this moment. */
  get writer(): FrameWriter {
    return this.#holds.at(-1) ?? this.#direct;
  }

  /** One of these is to come. What is written from now on comes behind it. */
  begin(): void {
    this.#holds.push(this.#direct.hold());
  }

  /** The first of these was sent, or answered: what was held behind it may leave. */
  release(): void {
    const hold = this.#holds.shift();
    if (hold !== undefined) this.#direct.release(hold);
  }

  /** The channel has ended. */
  discard(): void {
    for (const hold of this.#holds.splice(0)) this.#direct.discard(hold);
  }
}
