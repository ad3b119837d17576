/**
 * From the loss of a connection to the next one: waits, dials, and gives up when it is time. When a link is open the
 * rest is restoring.ts's.
 */

import type { ConnectionError } from "../engine/errors.ts";
import type { Millis } from "../engine/config.ts";
import { backoffDelay, type BackoffState, lost, neverOpened, nextAttempt, opened } from "../recovery/backoff.ts";
import { attemptOutcome } from "../recovery/causes.ts";
import { shuffle } from "../recovery/shuffle.ts";
import { type Adopt, dial } from "./dialing.ts";
import { ConnectError } from "./errors.ts";
import type { IoServices } from "./io-services.ts";
import type { ConnectPlan } from "./parameters.ts";
import type { RecoveryPlan } from "./recovery-options.ts";

/** What a reconnector needs of its connection. */
export interface ReconnectingHost {
  /** The old transport may be there still. There are never two. */
  dropTransport(): void;
  readonly adopt: Adopt;
  waiting(attempt: number, delay: Millis): void;
  failed(attempt: number, error: unknown): void;
  /** It will not come to another attempt. */
  gaveUp(error: ConnectionError): void;
}

/** One for the life of a connection; one outage at a time. */
export class Reconnector {
  readonly #io: IoServices;
  readonly #connectPlan: ConnectPlan;
  readonly #plan: RecoveryPlan;
  readonly #host: ReconnectingHost;
  #backoff: BackoffState;
  #refusals = 0;
  /** The wait for the next attempt. */
  #waiting: { readonly since: Millis; readonly cause: ConnectionError; readonly cancel: () => void } | undefined;
  #dialing: AbortController | undefined;
  #stopped = false;

  /** @param openedAt - when the connection was open for the first time. */
  constructor(io: IoServices, connectPlan: ConnectPlan, plan: RecoveryPlan, openedAt: Millis, host: ReconnectingHost) {
    this.#io = io;
    this.#connectPlan = connectPlan;
    this.#plan = plan;
    this.#host = host;
    this.#backoff = opened(neverOpened, openedAt);
  }

  /** The connection is usable again. Whether the outage is over shows when it stays so. */
  opened(): void {
    this.#backoff = opened(this.#backoff, this.#io.now());
    this.#refusals = 0;
  }

  /** The connection was lost. */
  lost(cause: ConnectionError): void {
    this.#backoff = lost(this.#backoff, this.#io.now(), this.#plan.backoff);
    this.#wait(cause);
  }

  /** The network may be back: whatever wait there is becomes as short as a first one. */
  hurry(): void {
    if (this.#stopped || this.#waiting === undefined) return;
    const { since, cause, cancel } = this.#waiting;
    cancel();
    const due = since + backoffDelay(1, this.#io.random(), this.#plan.backoff);
    this.#attemptAfter(Math.max(0, due - this.#io.now()), since, cause);
  }

  /** Ends whatever is under way: there will be no dial and no timer. */
  stop(): void {
    this.#stopped = true;
    this.#waiting?.cancel();
    this.#dialing?.abort();
  }

  #wait(cause: ConnectionError): void {
    const next = nextAttempt(this.#backoff, this.#io.now(), this.#io.random(), this.#plan.backoff);
    if (next === undefined) return this.#host.gaveUp(cause);
    this.#backoff = next.state;
    this.#attemptAfter(next.delay, this.#io.now(), cause);
    this.#host.waiting(next.state.attempts, next.delay);
  }

  #attemptAfter(delay: Millis, since: Millis, cause: ConnectionError): void {
    this.#waiting = { since, cause, cancel: this.#io.setTimer(delay, () => void this.#attempt(cause)) };
  }

  async #attempt(cause: ConnectionError): Promise<void> {
    const { attempts } = this.#backoff;
    this.#waiting = undefined;
    this.#host.dropTransport();
    const dialing = new AbortController();
    this.#dialing = dialing;
    const plan: ConnectPlan = {
      ...this.#connectPlan,
      connectionAttempts: 1,
      signal: dialing.signal,
      targets: async () => shuffle(await this.#connectPlan.targets(), () => this.#io.random()),
    };
    try {
      await dial(this.#io, plan, this.#host.adopt, { triesAllTargets: true });
    } catch (error) {
      if (this.#stopped) return;
      this.#refusals = isRefusal(error) ? this.#refusals + 1 : 0;
      this.#host.failed(attempts, error);
      // A listener may have closed the connection.
      if (this.#stopped) return;
      const reason = error instanceof ConnectError ? error : cause;
      if (this.#refusals >= this.#plan.maxRefusals) this.#host.gaveUp(reason);
      else this.#wait(reason);
    }
  }
}

/** Whether every endpoint refused the credentials or the virtual host. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.errors.length > 0 && error.errors.every((failure) => attemptOutcome(failure) === "refused");
}
