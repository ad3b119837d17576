/**
 * A connection from the inside: it takes one link after another, hands what their engines say to whoever is concerned, and
 * ends everything when it is over. The methods that an application calls are in connection.ts.
 */

import type { ChannelRequestName, Farewell } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import { ChannelError, closedByClient, ConnectionError } from "../engine/errors.ts";
import type { ChannelClosedEvent, ClosedEvent, ConnectionEvent, OpenEvent } from "../engine/events.ts";
import { addCounters, type EngineCounters, newCounters } from "../engine/frame-writer.ts";
import { isBytes } from "../wire/bytes.ts";
import { UsageError } from "../wire/errors.ts";
import type { Arguments } from "../wire/method-types.ts";
import { encodeText } from "../wire/text.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { ChannelHost } from "./channel-host.ts";
import type { CallerOptions } from "./channel-options.ts";
import { ChannelRegistry } from "./channel-registry.ts";
import type { RecoveryPart } from "./connect-parts.ts";
import type { ConnectionEvents, ConnectionState } from "./connection-events.ts";
import type { Negotiated, OpenChannelOptions, SecretOptions } from "./connection-options.ts";
import { CredentialsRenewal } from "./credentials-renewal.ts";
import { type Deadline, Deadlines } from "./deadlines.ts";
import type { Dialed } from "./dialing.ts";
import { AbortError, endedWith } from "./errors.ts";
import { done, Future, Milestone, rejection, unlessAborted } from "./futures.ts";
import { alwaysOpen, type Gate } from "./gate.ts";
import type { Observer } from "./instrumentation/instrumentation.ts";
import type { IoServices } from "./io-services.ts";
import type { Link, LinkOwner } from "./link.ts";
import { dropped, Listeners, type Report, reporting } from "./listeners.ts";
import { patience } from "./option-checks.ts";
import type { ConnectPlan } from "./parameters.ts";
import type { PublishingPolicy, PublishWindow } from "./publishing.ts";
import type { Recorder } from "./recording.ts";
import type { Recovery, RecoveryHost } from "./recovery.ts";
import { Replies } from "./replies.ts";

/** A connection that does not recover is never down and alive: nothing waits for it, and nothing is published again. */
const neverDown: PublishingPolicy = { allowance: undefined, republish: false, republishLimit: 0 };

/** Lends its channels, its links and its recovery what they need of each other. */
export class ConnectionCore implements ChannelHost, LinkOwner, RecoveryHost {
  readonly io: IoServices;
  readonly plan: ConnectPlan;
  readonly deadlines: Deadlines;
  readonly replies: Replies = new Replies();
  readonly registry: ChannelRegistry = new ChannelRegistry();
  readonly observer: Observer | undefined;
  readonly recorder: Recorder | undefined;
  readonly recovery: Recovery | undefined;
  readonly policy: PublishingPolicy;
  readonly gate: Gate;
  readonly closed: Milestone<ConnectionError | undefined> = new Milestone();
  /** The link that there is, or was last: from the first {@link adopt} on, before which nobody has the connection. */
  link!: Link;
  dialed: Dialed | undefined;
  readonly #over = new Milestone<void>();
  /** Made for credentials that expire. */
  #renewal: CredentialsRenewal | undefined;
  /** The state that listeners know of. */
  #toldState: ConnectionState = "open";
  /** What links that are gone counted. */
  #countedBefore: EngineCounters | undefined;
  #mechanism = "";
  #ready: Future<void> | undefined;
  #finished = false;
  /** What ended it, unless the client did. */
  #end: ConnectionError | undefined;
  #closing = false;
  #closeDeadline: Deadline | undefined;
  /** Whether the server does not read at the moment, as far as listeners know. */
  #blocked = false;
  /** Whether the engine of the present link has said its last word. */
  #linkClosed = false;

  constructor(io: IoServices, plan: ConnectPlan, recovery: RecoveryPart | undefined) {
    this.io = io;
    this.observer = plan.instrumentation?.observe(this, plan.connectionName);
    this.plan = { ...plan, observer: this.observer };
    this.deadlines = new Deadlines(io);
    this.recovery = plan.recovery && recovery?.start(this, plan.recovery);
    this.recorder = this.recovery?.recorder;
    this.policy = this.recovery?.policy ?? neverDown;
    this.gate = this.newGate();
  }

  get state(): ConnectionState {
    if (this.#finished) return "closed";
    if (this.#closing) return "closing";
    return this.recovery?.state ?? "open";
  }

  /** What was sent and received on all links. */
  get totals(): EngineCounters {
    return addCounters(this.#countedBefore ?? newCounters(), this.link.engine.counters);
  }

  get negotiated(): Negotiated {
    const { channelMax, frameMax, heartbeat } = this.link.engine;
    return { mechanism: this.#mechanism, channelMax, frameMax, heartbeat };
  }

  // What is told

  /** Takes what a function of the application threw. */
  readonly report: Report = reporting((failure) => {
    this.observer?.event("callback-error", failure);
    this.listeners.emit("callback-error", failure, dropped);
  });

  readonly listeners: Listeners<ConnectionEvents> = new Listeners(this.report);

  emit<Name extends keyof ConnectionEvents>(name: Name, value: ConnectionEvents[Name]): void {
    this.observer?.event(name, value);
    this.listeners.emit(name, value);
    this.#tellState();
  }

  #tellState(): void {
    const { state } = this;
    const before = this.#toldState;
    if (state === before) return;
    this.#toldState = state;
    this.emit("state", { state, before });
  }

  // Calls

  /** Why a call cannot be made any more, or no more by this caller; `undefined` when it can. */
  #refusal({ signal }: CallerOptions): Promise<never> | undefined {
    if (this.#finished || this.#closing) return rejection(() => endedWith(this.#end ?? closedByClient(), "not-sent"));
    return signal?.aborted === true ? rejection(() => new AbortError(signal.reason, "not-sent")) : undefined;
  }

  /** Resolves when the connection is open. */
  ready(options: CallerOptions = {}): Promise<void> {
    if (this.state === "open") return done;
    const refusal = this.#refusal(options);
    if (refusal !== undefined) return refusal;
    this.#ready ??= new Future<void>();
    // Nobody may be left waiting when it fails.
    this.#ready.promise.catch(() => {});
    return unlessAborted(this.#ready.promise, options.signal, (reason) => new AbortError(reason, "not-sent"));
  }

  async openChannel(options: OpenChannelOptions, window?: PublishWindow): Promise<ChannelCore> {
    const refusal = this.#refusal(options);
    if (refusal !== undefined) return refusal;
    const { number, signal } = options;
    if (!this.gate.isOpen) return this.gate.pass(() => this.openChannel(options, window), signal);
    const core = this.registry.open(this, number, window);
    const given = (reason: unknown): AbortError => {
      void core.close({});
      return new AbortError(reason, "unknown");
    };
    await unlessAborted(core.opened, signal, given);
    return core;
  }

  updateSecret(options: SecretOptions): Promise<void> {
    const refusal = this.#refusal(options);
    if (refusal !== undefined) return refusal;
    if (this.gate.isOpen) return this.#sendSecret(options);
    const since = this.io.now();
    const later = (): Promise<void> => {
      // The handshake asked for credentials after this call: they are newer than its secret.
      const { target, credentialsAt } = this.dialed as Dialed;
      const isOutdated = target.credentials.isAsked && credentialsAt >= since;
      return isOutdated ? done : this.updateSecret(options);
    };
    return this.gate.pass(later, options.signal);
  }

  async #sendSecret({ newSecret, reason, signal }: SecretOptions): Promise<void> {
    if (typeof newSecret !== "string" && !isBytes(newSecret)) {
      throw new UsageError("INVALID_ARGUMENT", "newSecret is a string or a Uint8Array");
    }
    const secret = typeof newSecret === "string" ? encodeText(newSecret) : newSecret;
    const request = this.link.engine.updateSecret(secret, reason);
    this.link.touch();
    await this.replies.expect(request, { signal, value: () => {} });
  }

  close(farewell: Farewell = {}, timeout?: Millis): Promise<void> {
    if (this.#closing || this.#finished) return this.#over.promise;
    if (this.recovery?.state === "connecting") {
      this.#closing = true;
      this.link.abort();
      this.finish(undefined);
      this.#over.reach();
      return this.#over.promise;
    }
    try {
      if (timeout !== undefined) patience(timeout, "timeout");
      this.link.endTurnEarly();
      this.link.engine.close(farewell);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#closing = true;
    this.recovery?.stop();
    this.#renewal?.stop();
    this.link.touch();
    this.#tellState();
    if (timeout !== undefined) {
      this.#closeDeadline = this.deadlines.start(timeout, { expire: () => this.link.abort() });
    }
    return this.#over.promise;
  }

  // What channels are lent

  newGate(): Gate {
    return this.recovery?.newGate(this.deadlines) ?? alwaysOpen;
  }

  mayRepeat<M extends ChannelRequestName>(method: M, fields: Arguments<M>): boolean {
    return this.recovery?.mayRepeat(method, fields) === true;
  }

  forget(core: ChannelCore): void {
    this.registry.remove(core);
  }

  // What the link says

  /** There is a link, which is open. */
  adopt(link: Link, { mechanism }: OpenEvent, dialed: Dialed): this {
    const isFirst = this.dialed === undefined;
    if (!isFirst) this.#countedBefore = this.totals;
    this.dialed = dialed;
    this.link = link;
    this.#linkClosed = false;
    this.#renewCredentials(dialed);
    this.#mechanism = mechanism;
    if (isFirst) {
      this.recovery?.begin();
      this.observer?.event("connected", { epoch: 1 });
    } else {
      this.recovery?.adopted(link);
    }
    return this;
  }

  #renewCredentials({ target, credentialsAt }: Dialed): void {
    if (target.credentials.validFor !== undefined) {
      this.#renewal ??= new CredentialsRenewal(this, async (newSecret) => {
        const options: SecretOptions = { newSecret, reason: "The old one expires" };
        await (this.#refusal(options) ?? this.#sendSecret(options));
      });
    }
    this.#renewal?.begin(target.credentials, credentialsAt);
  }

  expectsAnswers(): boolean {
    return (
      this.replies.size > 0 ||
      (this.#blocked && this.listeners.has("unblocked")) ||
      this.registry.withPrivate.some((core) => core.expectsAnswer)
    );
  }

  handle(event: ConnectionEvent): void {
    switch (event.type) {
      case "reply":
      case "basic.get-ok":
        return this.replies.answer(event);
      case "connection.blocked":
        this.#blocked = true;
        return this.emit("blocked", { reason: event.reason });
      case "connection.unblocked":
        this.#makeUseOfRoom();
        return this.#unblocked();
      case "writable":
        return this.#makeUseOfRoom();
      case "channel-closed":
        return this.#channelClosed(event);
      case "closed":
        return this.#connectionClosed(event);
      case "open":
        return;
      default:
        this.registry.find(event.channel)?.handle(event);
    }
  }

  #makeUseOfRoom(): void {
    for (const channel of this.registry.all) channel.publishing.makeUseOfRoom();
  }

  #unblocked(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.emit("unblocked", undefined);
  }

  #channelClosed(event: ChannelClosedEvent): void {
    const core = this.registry.find(event.channel);
    const { error } = event;
    if (core === undefined) return;
    const comesBack = error !== undefined && core.state !== "closing" && this.recovery?.keeps(core, error) === true;
    if (!comesBack) return core.ended(event);
    this.registry.lost();
    core.lost(event, error);
    if (error instanceof ChannelError) this.recovery?.channelLost(core);
  }

  // Endings

  #connectionClosed({ error, requests }: ClosedEvent): void {
    this.#linkClosed = true;
    if (error === undefined) this.link.farewellAnswered();
    this.#renewal?.stop();
    if (requests.length > 0) this.replies.end(requests, error ?? closedByClient());
    const isLoss = error !== undefined && !this.#closing && this.recovery !== undefined;
    if (isLoss && this.recovery.recoversFrom(error)) {
      this.#unblocked();
      this.recovery.lost(error);
    } else {
      if (isLoss) this.emit("disconnected", { cause: error, willRecover: false });
      this.finish(error);
    }
  }

  /** It is over, for good. */
  finish(error: ConnectionError | undefined): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#end = error;
    const makeEnd = (): ConnectionError => error ?? closedByClient();
    this.recovery?.stop();
    this.#renewal?.stop();
    this.#closeDeadline?.cancel();
    this.deadlines.end();
    this.gate.end(makeEnd);
    for (const core of this.registry.withPrivate) core.ended({ error: makeEnd(), requests: [] });
    this.#ready?.fail(() => endedWith(makeEnd(), "not-sent"));
    this.closed.reach(error);
    this.emit("closed", { error });
    if (this.#linkClosed && this.link.isClosed) this.#over.reach();
  }

  /** A transport is closed. Its engine has said its last word, unless it has a bug: nobody may hang for that either. */
  ended(link: Link): void {
    if (link !== this.link) return;
    if (!this.#linkClosed) this.finish(new ConnectionError("CONNECTION_LOST", "The connection was lost"));
    if (this.#finished) this.#over.reach();
  }

  /** Everything is back: calls need not wait any more. */
  reopened(): void {
    this.gate.open();
    this.#ready?.resolve();
    this.#ready = undefined;
    this.gate.admit();
  }
}
