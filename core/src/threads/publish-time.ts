/** The time of a publish that waits for room in this thread. It runs in the other one, which has the clock. */

import type { Millis } from "../engine/config.ts";
import { AbortError, TimeoutError } from "../client/errors.ts";
import { onAbort } from "../client/futures.ts";
import type { PortGuest } from "./port-guest.ts";

export class PublishTime {
  readonly #publish = new AbortController();
  readonly #clock = new AbortController();
  readonly #stopListening: () => void;
  #isOver = false;

  /** @param signal - The caller's, which gives up as well. */
  constructor(guest: PortGuest, lane: number, timeout: Millis, signal: AbortSignal | undefined) {
    this.#stopListening = onAbort(signal, (reason) => this.#publish.abort(reason));
    const expire = (): void => {
      if (!this.#isOver) this.#publish.abort(outOfTime);
    };
    // Where the port is closed, the publish hears of that itself.
    guest.call(lane, "wait", { time: timeout }, { signal: this.#clock.signal, unlimited: true }).then(expire, () => {});
  }

  /** Gives the publish up, before it is sent or afterwards. */
  get signal(): AbortSignal {
    return this.#publish.signal;
  }

  /** The publish is settled. */
  end(): void {
    this.#isOver = true;
    this.#stopListening();
    this.#clock.abort();
  }

  /** What the caller is told. */
  errorOf(error: unknown): unknown {
    if (!(error instanceof AbortError) || error.cause !== outOfTime) return error;
    return new TimeoutError("The message was not confirmed in time", error.outcome ?? "unknown");
  }
}

const outOfTime: Error = new Error("out of time");
