/**
 * Recovery of one connection: what it is doing about a loss, and whose turn it is. Connecting again is reconnecting.ts's,
 * bringing everything back restoring.ts's; what to bring back is recorded by recording.ts.
 */

import type { ConnectionError } from "../engine/errors.ts";
import { ChannelError } from "../engine/errors.ts";
import type { ChannelRequestName } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import { LazyMap } from "../engine/lazy-map.ts";
import { type BackoffState, lost, neverOpened, nextAttempt, opened } from "../recovery/backoff.ts";
import { isRecoverable } from "../recovery/causes.ts";
import { mayRepeat } from "../recovery/idempotence.ts";
import type { Arguments } from "../wire/method-types.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { ChannelHost } from "./channel-host.ts";
import type { ChannelRegistry } from "./channel-registry.ts";
import type { ConnectionEvents } from "./connection-events.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Adopt } from "./dialing.ts";
import { type EndError, recoversBy } from "./errors.ts";
import { done } from "./futures.ts";
import { Allowance, type Gate, OutageGate } from "./gate.ts";
import type { IoServices } from "./io-services.ts";
import type { Link } from "./link.ts";
import { answerOf } from "./listeners.ts";
import type { ConnectPlan } from "./parameters.ts";
import type { PublishingPolicy } from "./publishing.ts";
import { Reconnector } from "./reconnecting.ts";
import { Recorder } from "./recording.ts";
import type { RecoveryPart } from "./connect-parts.ts";
import { checkRecovery, planRecovery, type RecoveryPlan } from "./recovery-options.ts";
import { isOver, Restoration } from "./restoring.ts";

/** What recovery needs of its connection. */
export interface RecoveryHost extends ChannelHost {
  readonly io: IoServices;
  readonly plan: ConnectPlan;
  readonly gate: Gate;
  readonly registry: ChannelRegistry;
  readonly adopt: Adopt;
  emit<Name extends keyof ConnectionEvents>(name: Name, value: ConnectionEvents[Name]): void;
  /** Resolves when the connection is open again. */
  ready(): Promise<void>;
  /** Calls need not wait any more. */
  reopened(): void;
  /** There will be no connection any more. */
  finish(error: ConnectionError): void;
  close(): Promise<void>;
}

/** A channel that is reopened after the server has closed it. */
interface Reopening {
  backoff: BackoffState;
  restoration: Restoration | undefined;
  cancelTimer: (() => void) | undefined;
}

export class Recovery {
  readonly recorder: Recorder = new Recorder();
  /** What becomes of the publishes of a channel that comes back. */
  readonly policy: PublishingPolicy;
  readonly #allowance: Allowance;
  readonly #host: RecoveryHost;
  readonly #plan: RecoveryPlan;
  readonly #reconnector: Reconnector;
  readonly #reopenings = new LazyMap<ChannelCore, Reopening>();
  #restoration: Restoration | undefined;
  #state: "open" | "connecting" | "recovering" = "open";
  #epoch = 1;
  #lostAt: Millis | undefined;
  /** Whether the loss of this link is recovered from, once that was asked. */
  #verdict: boolean | undefined;
  #stopped = false;

  constructor(host: RecoveryHost, plan: RecoveryPlan) {
    this.#host = host;
    this.#plan = plan;
    this.#reconnector = new Reconnector(host, plan);
    this.#allowance = new Allowance(plan);
    this.policy = { allowance: this.#allowance, republish: plan.republish, republishLimit: plan.republishLimit };
  }

  get state(): "open" | "connecting" | "recovering" {
    return this.#state;
  }

  /** A gate, for the calls of one channel or of the connection. All of them share one allowance. */
  newGate(deadlines: Deadlines): Gate {
    return new OutageGate(this.#allowance, deadlines);
  }

  /** Whether a request that a loss leaves unanswered is made again. */
  mayRepeat<M extends ChannelRequestName>(method: M, fields: Arguments<M>): boolean {
    return this.#plan.retryIdempotent && mayRepeat(method, fields);
  }

  /** Whether a loss is recovered from. The application is asked once for each. */
  recoversFrom(error: ConnectionError): boolean {
    this.#verdict ??= !this.#stopped && isRecoverable(error) && this.#isWanted(error);
    if (this.#verdict) recoversBy(error, () => this.#host.ready());
    return this.#verdict;
  }

  /** Whether a channel comes back after this end. */
  keeps(core: ChannelCore, error: EndError): boolean {
    if (this.#stopped || core.recorder === undefined) return false;
    if (!(error instanceof ChannelError)) return this.recoversFrom(error);
    return this.#isRestoring(core) || this.#isReopened(core, error);
  }

  /** The first link is open. */
  begin(): void {
    this.#reconnector.opened();
  }

  /** The connection was lost. Its channels know already. */
  lost(cause: ConnectionError): void {
    this.#state = "connecting";
    this.#lostAt ??= this.#host.io.now();
    this.#endAttempts();
    this.recorder.topology.connectionLost();
    this.#host.gate.shut(cause);
    this.#host.emit("disconnected", { cause, willRecover: true });
    // A listener may have closed the connection.
    if (!this.#stopped) this.#reconnector.lost(cause);
  }

  /** See {@link Reconnector.hurry}. */
  hurry(): void {
    this.#reconnector.hurry();
  }

  /** There is a link again. */
  adopted(link: Link): void {
    this.#verdict = undefined;
    this.#epoch += 1;
    this.#state = "recovering";
    this.#restoration = this.#newRestoration(link);
    void this.#restore(this.#restoration, link);
  }

  /** A channel was lost, which {@link keeps} said comes back, while its connection was not. */
  channelLost(core: ChannelCore): void {
    if (this.#state === "open" && !this.#isRestoring(core)) this.#reopenSoon(core);
  }

  /** Nobody needs recovery any more: no dial, no timer, nothing. */
  stop(): void {
    this.#stopped = true;
    this.#reconnector.stop();
    this.#endAttempts();
  }

  async #restore(restoration: Restoration, link: Link): Promise<void> {
    // Not inside of the handshake's last event.
    await done;
    const epoch = this.#epoch;
    if (!restoration.stopped) this.#host.emit("connected", { epoch });
    try {
      await restoration.run();
    } catch {
      // Whatever it was: nothing is known of what the server did. Where the link was lost, this does nothing.
      if (!restoration.stopped) link.abort();
      return;
    }
    const took = this.#host.io.now() - (this.#lostAt ?? 0);
    this.#lostAt = undefined;
    this.#state = "open";
    this.#restoration = undefined;
    this.#reconnector.opened();
    this.#host.reopened();
    for (const core of this.#host.registry.all) this.#restored(core);
    this.#host.emit("recovered", { epoch, took, failures: restoration.failures });
  }

  // Channels that the server closed

  /** A channel is as it was, unless the server has closed it since. */
  #restored(core: ChannelCore): void {
    if (core.engine.state === "closed") this.#reopenSoon(core);
    else core.resume();
  }

  /** Waits before it opens a channel again: what was refused once is mostly refused twice. */
  #reopenSoon(core: ChannelCore): void {
    this.#forgetClosed();
    const { io } = this.#host;
    const options = { ...this.#plan.backoff, maxAttempts: Infinity, maxElapsed: Infinity };
    const before = this.#reopenings.get(core)?.backoff ?? neverOpened;
    const next = nextAttempt(lost(before, io.now(), options), io.now(), io.random(), options);
    if (next === undefined) return;
    const cancelTimer = io.setTimer(next.delay, () => void this.#reopen(core));
    this.#reopenings.set(core, { backoff: next.state, restoration: undefined, cancelTimer });
  }

  async #reopen(core: ChannelCore): Promise<void> {
    const reopening = this.#reopenings.get(core);
    if (reopening === undefined || isOver(core)) return;
    const { link } = this.#host;
    const restoration = this.#newRestoration(link);
    reopening.restoration = restoration;
    try {
      await restoration.only(core);
    } catch {
      if (!restoration.stopped) link.abort();
      return;
    }
    reopening.restoration = undefined;
    if (isOver(core)) return;
    reopening.backoff = opened(reopening.backoff, this.#host.io.now());
    this.#restored(core);
  }

  // Inside

  #newRestoration(link: Link): Restoration {
    return new Restoration({ connection: this.#host, plan: this.#plan, topology: this.recorder.topology }, link);
  }

  #isWanted(error: ConnectionError): boolean {
    return answerOf(() => this.#plan.shouldRecover?.(error) ?? true, true, this.#host.report);
  }

  /** An application's predicate that throws reopens nothing. */
  #isReopened(core: ChannelCore, error: ChannelError): boolean {
    return answerOf(() => core.reopensAfter(error), false, this.#host.report);
  }

  #isRestoring(core: ChannelCore): boolean {
    return this.#restoration?.isRestoring(core) === true || this.#reopenings.get(core)?.restoration !== undefined;
  }

  /** What was under way is part of the next attempt, or of nothing any more. */
  #endAttempts(): void {
    this.#restoration?.stop();
    this.#restoration = undefined;
    for (const reopening of this.#reopenings.values()) {
      reopening.restoration?.stop();
      reopening.cancelTimer?.();
      reopening.restoration = undefined;
    }
  }

  #forgetClosed(): void {
    for (const core of [...this.#reopenings.keys()]) if (core.state === "closed") this.#reopenings.delete(core);
  }
}

/** Recovery, for the `connect` that is to have it. */
export const recovery: RecoveryPart = {
  check: checkRecovery,
  plan: planRecovery,
  start: (host, plan) => new Recovery(host, plan),
};
