/** Heartbeats: when to send one, and when silence means that the peer is gone. */

import type { Millis } from "./config.ts";

/** How long the driver gets to bring bytes that had already arrived, when a stalled loop makes a deadline late. */
const grace: Millis = 1000;

/**
 * The clock of one connection's heartbeats. A heartbeat is due after half an interval without output; the peer is dead
 * after two intervals without a single byte, whatever the byte belongs to (rabbitmq.com/docs/heartbeats).
 */
export class Heartbeat {
  readonly #interval: Millis;
  #sentAt: Millis;
  #heardAt: Millis;
  #reading = true;
  /** When silence was first noticed. It counts only if it lasts: see {@link grace}. */
  #suspectedAt: Millis | undefined;

  /** @param seconds - The negotiated interval; 0 turns heartbeats off. */
  constructor(seconds: number, now: Millis) {
    this.#interval = seconds * 1000;
    this.#sentAt = now;
    this.#heardAt = now;
  }

  /** Output left. */
  sent(now: Millis): void {
    this.#sentAt = now;
  }

  /** Bytes arrived. */
  heard(now: Millis): void {
    this.#heardAt = now;
    this.#suspectedAt = undefined;
  }

  /** A reader that is paused hears nothing, and that proves nothing. */
  setReading(reading: boolean, now: Millis): void {
    this.#reading = reading;
    if (reading) this.heard(now);
  }

  /** When {@link advance} has something to do, or `undefined`: never. */
  get deadline(): Millis | undefined {
    if (this.#interval === 0) return undefined;
    const sendAt = this.#sentAt + this.#interval / 2;
    return this.#reading ? Math.min(sendAt, this.#silenceDeadline) : sendAt;
  }

  /** What is due: a heartbeat to send, or the end because the peer is silent. */
  advance(now: Millis): "send" | "dead" | undefined {
    if (this.#interval === 0) return undefined;
    if (this.#reading && now >= this.#silenceDeadline) {
      if (this.#suspectedAt !== undefined) return "dead";
      this.#suspectedAt = now;
    }
    if (now < this.#sentAt + this.#interval / 2) return undefined;
    this.#sentAt = now;
    return "send";
  }

  get #silenceDeadline(): Millis {
    if (this.#suspectedAt === undefined) return this.#heardAt + 2 * this.#interval;
    return this.#suspectedAt + Math.min(grace, this.#interval / 2);
  }
}
