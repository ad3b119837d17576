/** When the requests in flight have waited long enough. All wait equally long, so they end in the order they began. */

import type { Millis } from "./config.ts";
import { Deque } from "./deque.ts";
import type { PendingRequest } from "./request.ts";

interface Entry {
  readonly request: PendingRequest;
  deadline: Millis;
}

/** The deadlines of one connection's requests. While the connection is blocked nobody can be late. */
export class RequestDeadlines {
  readonly #timeout: Millis;
  readonly #entries = new Deque<Entry>();
  /** Requests that were sent since the engine last learnt the time. */
  #unstamped: PendingRequest[] = [];
  #suspended = false;

  /** @param timeout - 0 for none. */
  constructor(timeout: Millis) {
    this.#timeout = timeout;
  }

  /** A request was put into the output. Its time runs from the next {@link stamp}. */
  sent(request: PendingRequest): void {
    if (this.#timeout !== 0) this.#unstamped.push(request);
  }

  /** The engine learnt the time. */
  stamp(now: Millis): void {
    if (this.#unstamped.length === 0) return;
    for (const request of this.#unstamped) this.#entries.push({ request, deadline: now + this.#timeout });
    this.#unstamped = [];
  }

  /** Stops the clocks while the server reads nothing; afterwards every request gets its whole time again. */
  suspend(suspended: boolean, now: Millis): void {
    this.#suspended = suspended;
    if (!suspended) for (const entry of this.#entries) entry.deadline = now + this.#timeout;
  }

  /** When the first request is late; `now` when there are requests whose time has not begun. `undefined`: never. */
  deadline(now: Millis): Millis | undefined {
    if (this.#unstamped.length > 0) return now;
    if (this.#suspended) return undefined;
    this.#dropEnded();
    return this.#entries.peek()?.deadline;
  }

  /** Takes out a request that is late, or returns `undefined`. */
  takeLate(now: Millis): PendingRequest | undefined {
    const deadline = this.deadline(now);
    if (deadline === undefined || deadline > now) return undefined;
    return this.#entries.shift()?.request;
  }

  #dropEnded(): void {
    while (this.#entries.peek()?.request.ended === true) this.#entries.shift();
  }
}
