/**
 * From the loss of a connection to the next one: waits, dials, and gives up when it is time. When a link is open the
 * rest is restoring.ts's.
 */

import type { ConnectionError } from "../engine/errors.ts";
import type { Millis } from "../engine/config.ts";
import { backoffDelay, lost, neverOpened, nextAttempt, opened } from "../recovery/backoff.ts";
import { attemptOutcome } from "../recovery/causes.ts";
import { shuffle } from "../recovery/shuffle.ts";
import { dial } from "./dialing.ts";
import { ConnectError } from "./errors.ts";
import type { ConnectPlan } from "./parameters.ts";
import type { RecoveryHost } from "./recovery.ts";
import type { RecoveryPlan } from "./recovery-options.ts";

/** One for the life of a connection; one outage at a time. */
export class Reconnector {
  readonly #host: RecoveryHost;
  readonly #plan: RecoveryPlan;
  #backoff = neverOpened;
  #refusals = 0;
  /** The wait for the next attempt. */
  #waiting: { readonly since: Millis; readonly cause: ConnectionError; readonly cancel: () => void } | undefined;
  #dialing: AbortController | undefined;
  #stopped = false;

  constructor(host: RecoveryHost, plan: RecoveryPlan) {
    this.#host = host;
    this.#plan = plan;
  }

  /** The connection is usable, for the first time or again. Whether the outage is over shows when it stays so. */
  opened(): void {
    this.#backoff = opened(this.#backoff, this.#host.io.now());
    this.#refusals = 0;
  }

  /** The connection was lost. */
  lost(cause: ConnectionError): void {
    this.#backoff = lost(this.#backoff, this.#host.io.now(), this.#plan.backoff);
    this.#wait(cause);
  }

  /** The network may be back: whatever wait there is becomes as short as a first one. */
  hurry(): void {
    if (this.#stopped || this.#waiting === undefined) return;
    const { since, cause, cancel } = this.#waiting;
    cancel();
    const due = since + backoffDelay(1, this.#host.io.random(), this.#plan.backoff);
    this.#attemptAfter(Math.max(0, due - this.#host.io.now()), since, cause);
  }

  /** Ends whatever is under way: there will be no dial and no timer. */
  stop(): void {
    this.#stopped = true;
    this.#waiting?.cancel();
    this.#dialing?.abort();
  }

  #wait(cause: ConnectionError): void {
    const next = nextAttempt(this.#backoff, this.#host.io.now(), this.#host.io.random(), this.#plan.backoff);
    if (next === undefined) return this.#host.finish(cause);
    this.#backoff = next.state;
    this.#attemptAfter(next.delay, this.#host.io.now(), cause);
    this.#host.emit("reconnecting", { attempt: next.state.attempts, delay: next.delay });
  }

  #attemptAfter(delay: Millis, since: Millis, cause: ConnectionError): void {
    this.#waiting = { since, cause, cancel: this.#host.io.setTimer(delay, () => void this.#attempt(cause)) };
  }

  async #attempt(cause: ConnectionError): Promise<void> {
    const { attempts } = this.#backoff;
    this.#waiting = undefined;
    // The old transport may be there still. There are never two.
    this.#host.link.abort();
    const dialing = new AbortController();
    this.#dialing = dialing;
    const plan: ConnectPlan = {
      ...this.#host.plan,
      connectionAttempts: 1,
      signal: dialing.signal,
      targets: async () => shuffle(await this.#host.plan.targets(), () => this.#host.io.random()),
    };
    try {
      await dial(this.#host.io, plan, (link, event, dialed) => this.#host.adopt(link, event, dialed), {
        triesAllTargets: true,
      });
    } catch (error) {
      if (this.#stopped) return;
      this.#refusals = isRefusal(error) ? this.#refusals + 1 : 0;
      this.#host.emit("reconnect-failed", { attempt: attempts, error });
      // A listener may have closed the connection.
      if (this.#stopped) return;
      const reason = error instanceof ConnectError ? error : cause;
      if (this.#refusals >= this.#plan.maxRefusals) this.#host.finish(reason);
      else this.#wait(reason);
    }
  }
}

/** Whether every endpoint refused the credentials or the virtual host. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.errors.length > 0 && error.errors.every((failure) => attemptOutcome(failure) === "refused");
}
