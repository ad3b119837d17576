/** The server's side of heartbeats. */

import type { Millis, Timer, Timers } from "../lib/timers.ts";

/** What heartbeats look at, and what they do. */
export interface HeartbeatHost {
  /** Octets received so far. */
  octetsReceived(): number;
  /** Octets sent so far. */
  octetsSent(): number;
  /** True while the server does not read: then silence means nothing. */
  isDeaf(): boolean;
  sendHeartbeat(): void;
  /** The client is gone. */
  declareDead(): void;
}

/** Silence is noticed at every interval; the client is dead when it was silent at two in a row. */
const patience = 2;

/** Sends a heartbeat after half an interval without output, and gives a silent client up after two to three intervals. */
export class Heartbeats {
  readonly #host: HeartbeatHost;
  readonly #sender: Timer;
  readonly #monitor: Timer;
  #interval: Millis = 0;
  #sentBefore = 0;
  #receivedBefore = 0;
  #silences = 0;

  constructor(timers: Timers, host: HeartbeatHost) {
    this.#host = host;
    this.#sender = timers.create((now) => this.#send(now));
    this.#monitor = timers.create((now) => this.#listen(now));
  }

  /** @param seconds - The client's interval; 0 for none. */
  start(seconds: number, now: Millis): void {
    if (seconds === 0) return;
    this.#interval = seconds * 1000;
    this.#sentBefore = this.#host.octetsSent();
    this.#sender.set(now + this.#interval / 2);
    this.#monitor.set(now + this.#interval);
  }

  stop(): void {
    this.#sender.off();
    this.#monitor.off();
  }

  #send(now: Millis): void {
    if (this.#host.octetsSent() === this.#sentBefore) this.#host.sendHeartbeat();
    this.#sentBefore = this.#host.octetsSent();
    this.#sender.set(now + this.#interval / 2);
  }

  #listen(now: Millis): void {
    const received = this.#host.octetsReceived();
    this.#silences = this.#host.isDeaf() || received !== this.#receivedBefore ? 0 : this.#silences + 1;
    this.#receivedBefore = received;
    if (this.#silences === patience) this.#host.declareDead();
    else this.#monitor.set(now + this.#interval);
  }
}
