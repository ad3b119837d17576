/** Every deadline of a connection but the heartbeats. */

import type { Millis } from "./config.ts";
import { RequestDeadlines } from "./request-deadlines.ts";

/** One thing that may not take too long. A command knows no time, so what it starts runs from the next {@link learn}. */
export class Countdown {
  /** How long it may take; 0 while nothing runs. */
  #timeout: Millis = 0;
  /** `undefined` while nothing runs, and until the time is known. */
  #deadline: Millis | undefined;

  /** @param timeout - 0 for no limit. */
  start(timeout: Millis): void {
    this.#timeout = timeout;
    this.#deadline = undefined;
  }

  stop(): void {
    this.start(0);
  }

  learn(now: Millis): void {
    if (this.#timeout !== 0) this.#deadline ??= now + this.#timeout;
  }

  /** When it is over; `now` while its time has not begun. `undefined`: never. */
  deadline(now: Millis): Millis | undefined {
    return this.#timeout === 0 ? undefined : (this.#deadline ?? now);
  }

  isOver(now: Millis): boolean {
    return this.#deadline !== undefined && now >= this.#deadline;
  }
}

/** The deadlines of one connection, by what they are for. */
export class Deadlines {
  /** Of the handshake, of the time that an open connection may be blocked, of closing: never two at a time. */
  readonly phase: Countdown = new Countdown();
  readonly requests: RequestDeadlines;

  constructor(requestTimeout: Millis) {
    this.requests = new RequestDeadlines(requestTimeout);
  }

  /** The engine learnt the time: what was started since runs from now. */
  learn(now: Millis): void {
    this.phase.learn(now);
    this.requests.learn(now);
  }

  /** The first deadline, or `undefined`. */
  next(now: Millis): Millis | undefined {
    return earliest(this.phase.deadline(now), this.requests.deadline(now));
  }
}

/** The earlier of two times; `undefined` stands for never. */
export function earliest(a: Millis | undefined, b: Millis | undefined): Millis | undefined {
  if (a === undefined) return b;
  return b === undefined || a < b ? a : b;
}
