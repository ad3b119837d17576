/** New credentials in time: asks for them before the old ones expire, and gives them to the server. */

import type { Millis } from "../engine/config.ts";
import type { ConnectionEvents } from "./connection-events.ts";
import type { CredentialsSource } from "./credentials.ts";
import { inTime } from "./dialing.ts";
import type { IoServices } from "./io-services.ts";

/** When new credentials are asked for, as parts of the old ones' life. Where in between is left to chance: clients that began together part. */
const earliest = 0.6;
const latest = 0.8;

/** Between two questions at least, however short the life is. */
const shortestWait: Millis = 1_000;
/** Between two attempts at most, however many have failed. */
const longestRetryDelay: Millis = 30_000;

/** What a renewal needs of its connection. */
export interface RenewalHost {
  readonly io: IoServices;
  /** `openTimeout`: how long whoever gives credentials may take, 0 for ever. */
  readonly plan: { readonly openTimeout: Millis };
  emit<Name extends "credentials-renewed" | "credentials-failed">(name: Name, value: ConnectionEvents[Name]): void;
}

/** One for the life of a connection: begins with each login, and stops with each loss. */
export class CredentialsRenewal {
  readonly #host: RenewalHost;
  readonly #updateSecret: (newSecret: string) => Promise<void>;
  #cancelTimer: (() => void) | undefined;
  /** Counts logins and losses, so that what was asked before one of them is known to be late. */
  #period = 0;
  #failures = 0;

  /** @param updateSecret - Gives the server a new password. Rejects when that cannot be sent, or the connection ends. */
  constructor(host: RenewalHost, updateSecret: (newSecret: string) => Promise<void>) {
    this.#host = host;
    this.#updateSecret = updateSecret;
  }

  /** The connection is open, with credentials that were given at `since`. */
  begin(source: CredentialsSource, since: Millis): void {
    this.stop();
    this.#plan(source, since);
  }

  /** The connection is lost, or over. Nothing is asked any more, and what was asked is not used. */
  stop(): void {
    this.#period += 1;
    this.#failures = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #plan(source: CredentialsSource, since: Millis): void {
    const { validFor } = source;
    if (validFor === undefined || validFor === Infinity) return;
    const { io } = this.#host;
    const part = earliest + (latest - earliest) * io.random();
    this.#wait(source, Math.max(shortestWait, since + validFor * part - io.now()));
  }

  #wait(source: CredentialsSource, delay: Millis): void {
    this.#cancelTimer = this.#host.io.setTimer(delay, () => void this.#renew(source));
  }

  async #renew(source: CredentialsSource): Promise<void> {
    const { io, plan } = this.#host;
    const period = this.#period;
    try {
      const password = await inTime(io, plan.openTimeout, "The credentials", source.renew());
      const since = io.now();
      if (period !== this.#period) return;
      await this.#updateSecret(password);
      if (period !== this.#period) return;
      this.#failures = 0;
      this.#plan(source, since);
      this.#host.emit("credentials-renewed", { validFor: source.validFor });
    } catch (error) {
      if (period !== this.#period) return;
      this.#failures += 1;
      const most = Math.min(longestRetryDelay, shortestWait * 2 ** this.#failures);
      const delay = most / 2 + (most / 2) * io.random();
      this.#wait(source, delay);
      this.#host.emit("credentials-failed", { error, attempt: this.#failures, delay });
    }
  }
}
