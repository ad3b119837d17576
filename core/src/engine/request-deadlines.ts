/** When the requests in flight have waited long enough. All wait equally long, so they end in the order they began. */

import type { Millis } from "./config.ts";
import { Deque } from "./deque.ts";
import type { PendingRequest } from "./request.ts";

interface Entry {
  readonly request: PendingRequest;
  /** In the time of {@link RequestDeadlines}. */
  deadline: Millis;
}

/** Entries of requests that have ended stay until there are this many more than at the last clean-up. */
const cleanUpAfter = 64;

/**
 * The deadlines of one connection's requests. While no answer can arrive, nobody can be late: deadlines are kept in a time
 * of their own, which stands still meanwhile.
 */
export class RequestDeadlines {
  readonly #timeout: Millis;
  #entries = new Deque<Entry>();
  #cleanUpAt = cleanUpAfter;
  /** Requests that were written since the engine last learnt the time. */
  #unstamped: PendingRequest[] | undefined;
  /** When this time began to stand still. */
  #suspendedAt: Millis | undefined;
  /** For how long it has stood still in all. */
  #suspendedFor: Millis = 0;

  /** @param timeout - 0 for none. */
  constructor(timeout: Millis) {
    this.#timeout = timeout;
  }

  /** How many requests are kept, for the sake of tests. */
  get size(): number {
    return this.#entries.size + (this.#unstamped?.length ?? 0);
  }

  /** A request was written. A command knows no time: it runs from the next {@link learn}. */
  written(request: PendingRequest): void {
    if (this.#timeout !== 0) (this.#unstamped ??= []).push(request);
  }

  /** The engine learnt the time. */
  learn(now: Millis): void {
    if (this.#unstamped === undefined) return;
    for (const request of this.#unstamped) {
      if (!request.ended) this.#entries.push({ request, deadline: this.#ownTime(now) + this.#timeout });
    }
    this.#unstamped = undefined;
    if (this.#entries.size > this.#cleanUpAt) this.#cleanUp();
  }

  /** Stops the clock, or lets it go on. */
  suspend(suspended: boolean, now: Millis): void {
    if (suspended) {
      this.#suspendedAt ??= now;
    } else if (this.#suspendedAt !== undefined) {
      this.#suspendedFor += now - this.#suspendedAt;
      this.#suspendedAt = undefined;
    }
  }

  /** Gives every request its whole time again. */
  restart(now: Millis): void {
    for (const entry of this.#entries) entry.deadline = this.#ownTime(now) + this.#timeout;
  }

  /** When the first request is late; `now` when there are requests whose time has not begun. `undefined`: never. */
  deadline(now: Millis): Millis | undefined {
    return this.#unstamped === undefined ? this.#firstDeadline() : now;
  }

  /** Takes out a request that is late, or returns `undefined`. One whose time has not begun makes no other one late. */
  takeLate(now: Millis): PendingRequest | undefined {
    const deadline = this.#firstDeadline();
    if (deadline === undefined || deadline > now) return undefined;
    return this.#entries.shift()?.request;
  }

  #firstDeadline(): Millis | undefined {
    if (this.#suspendedAt !== undefined) return undefined;
    this.#dropEnded();
    const first = this.#entries.peek();
    return first === undefined ? undefined : first.deadline + this.#suspendedFor;
  }

  #ownTime(now: Millis): Millis {
    return (this.#suspendedAt ?? now) - this.#suspendedFor;
  }

  #dropEnded(): void {
    while (this.#entries.peek()?.request.ended === true) this.#entries.shift();
  }

  /** One request that waits long must not keep all those behind it, which were answered at once. */
  #cleanUp(): void {
    const kept = new Deque<Entry>();
    for (const entry of this.#entries) if (!entry.request.ended) kept.push(entry);
    this.#entries = kept;
    this.#cleanUpAt = 2 * kept.size + cleanUpAfter;
  }
}
