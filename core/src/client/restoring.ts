/**
 * Bringing everything back on a new connection: topology, channels, consumers, in this order. What is to be done is
 * decided by the pure functions of `recovery/`; here it is done, one item after the other, and an item that fails is
 * tried again, left out, or ends the attempt.
 */

import { ChannelError, ConnectionError } from "../engine/errors.ts";
import type { ChannelEngine } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import { type ItemVerdict, judgeFailure } from "../recovery/causes.ts";
import {
  type BindingRecord,
  bindingKey,
  type ChannelRecord,
  type ConsumerRecord,
  consumerKey,
  type ExchangeRecord,
  type QueueRecord,
} from "../recovery/records.ts";
import {
  bindingsToMake,
  type ChannelStep,
  channelSetup,
  consumersToStart,
  exchangesToDeclare,
  queuesToDeclare,
  type ReplayOptions,
} from "../recovery/replay.ts";
import type { Topology } from "../recovery/topology.ts";
import { UsageError } from "../wire/errors.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { Deadlines } from "./deadlines.ts";
import { done, Future } from "./futures.ts";
import type { IoServices } from "./io-services.ts";
import type { Link } from "./link.ts";
import { contain, type Report } from "./listeners.ts";
import { keyOf, methodsOf, neededExchanges, neededQueues } from "./restoring-items.ts";
import type { RecoveryPlan, TopologyAction, TopologyFailure, TopologyItem } from "./recovery-options.ts";

/** How long the server may take for one item: what it did is unknown after that, and the attempt begins again. */
const itemTimeout: Millis = 20_000;

/** The wait before an item that is tried again because the application says so. */
const askedRetryDelay: Millis = 1_000;

/** What a restoration needs of its connection. */
export interface RestoringHost {
  readonly io: IoServices;
  readonly deadlines: Deadlines;
  readonly topology: Topology;
  readonly plan: RecoveryPlan;
  readonly report: Report;
  /** Channels to bring back, by number. */
  channels(): readonly ChannelCore[];
  /** A channel for declarations, so that a failed one hurts no channel of the application's. */
  openPrivateChannel(othersHaveNumbers: boolean): ChannelCore;
  queueRenamed(oldName: string, newName: string): void;
  topologyError(failure: TopologyFailure): void;
  channelRecovered(core: ChannelCore): void;
  /** A channel could not be brought back. */
  channelFailed(core: ChannelCore, error: ChannelError): void;
  /** The application does not want the connection any more. */
  close(): void;
}

/** Ends a restoration that nobody needs any more. It does not reach the application. */
export class Stopped extends Error {}

/** One attempt to restore, on one link. */
export class Restoration {
  readonly failures: TopologyFailure[] = [];
  readonly #host: RestoringHost;
  readonly #link: Link;
  #private: ChannelCore | undefined;
  #stopped = false;
  /** Whether a private channel has to keep away from the numbers of the others. */
  #channelsHaveNumbers = false;
  /** Dependencies are restored one after the other: what fails on the private channel is then known. */
  #dependency: Promise<void> = done;
  readonly #restoring = new Set<ChannelCore>();
  readonly #wakers = new Set<() => void>();
  /** Queues and exchanges that could not be declared, with the reason. */
  readonly #missing = new Map<string, unknown>();

  constructor(host: RestoringHost, link: Link) {
    this.#host = host;
    this.#link = link;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether a channel is being brought back at the moment. */
  isRestoring(core: ChannelCore): boolean {
    return this.#restoring.has(core);
  }

  /** Ends it. Whatever it waits for, it does nothing any more. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wakers) wake();
  }

  /**
   * Restores everything. Rejects when the attempt has failed, which ends the link as well.
   *
   * The topology comes before the channels: its private channel then finds a free number whatever the application uses.
   */
  async run(): Promise<void> {
    this.#check();
    const { topology, plan } = this.#host;
    const options = { mode: plan.topology, filter: this.#safeFilter() };
    for (const exchange of exchangesToDeclare(topology, options)) {
      await this.#item({ kind: "exchange", exchange }, () => this.#declareExchange(exchange));
    }
    for (const queue of queuesToDeclare(topology, options)) {
      await this.#item({ kind: "queue", queue }, () => this.#declareQueue(queue));
    }
    for (const binding of bindingsToMake(topology, options)) {
      // A queue that had to be declared once more has another name, and its bindings are made.
      if (!topology.holdsBinding(binding)) continue;
      await this.#item({ kind: "binding", binding }, () => this.#bind(binding));
    }
    await this.#closePrivate();
    this.#channelsHaveNumbers = true;
    const channels = this.#host.channels();
    if (this.#host.topology.suspects.any) for (const core of channels) await this.channel(core);
    else await Promise.all(channels.map((core) => this.channel(core)));
    await this.#closePrivate();
    this.#check();
  }

  /** Restores nothing but one channel. */
  async only(core: ChannelCore): Promise<void> {
    this.#channelsHaveNumbers = true;
    await this.channel(core);
    await this.#closePrivate();
    this.#check();
  }

  async #closePrivate(): Promise<void> {
    if (this.#private !== undefined) await this.#timed(this.#private.close({}));
    this.#private = undefined;
  }

  /** Opens one channel, brings it into its mode, and starts its consumers. */
  async channel(core: ChannelCore): Promise<void> {
    this.#restoring.add(core);
    try {
      await this.#channel(core);
    } finally {
      this.#restoring.delete(core);
    }
  }

  async #channel(core: ChannelCore): Promise<void> {
    const left = new Set<string>();
    const tries = new Map<string, { attempt: number; readonly since: Millis }>();
    for (;;) {
      this.#check();
      if (core.state === "closing" || core.state === "closed") return;
      const failed = await this.#tryChannel(core, left);
      if (failed === undefined) return;
      const { item, error } = failed;
      if (!(error instanceof ChannelError)) throw error;
      const key = keyOf(item);
      const tried = tries.get(key) ?? { attempt: 0, since: this.#now };
      tried.attempt += 1;
      tries.set(key, tried);
      const elapsed = this.#now - tried.since;
      const verdict = await this.#decide(item, error, tried.attempt, elapsed);
      if (verdict.action === "restore-dependency") await this.#restoreDependency(item);
      if (verdict.action !== "skip") continue;
      left.add(key);
      if (item.kind !== "consumer") return this.#host.channelFailed(core, error);
      core.subscriptions.notRecovered(item.consumer.consumerTag, error);
    }
  }

  // Channels

  /** Resolves with the item that the server closed the channel for; with nothing when the channel is restored. */
  async #tryChannel(
    core: ChannelCore,
    left: ReadonlySet<string>,
  ): Promise<{ readonly item: TopologyItem; readonly error: unknown } | undefined> {
    const record = recordOf(core);
    let item: TopologyItem = { kind: "channel", channel: record };
    try {
      const engine = await this.#open(core);
      if (engine === undefined) return undefined;
      const opened = core.attach(engine);
      this.#link.touch();
      for (const step of channelSetup(record)) await this.#timed(this.#take(core, step));
      const consumerSteps = this.#consumerSteps(record);
      endOthers(core, consumerSteps);
      for (const step of consumerSteps) {
        if (step.type === "basic.consume") {
          const { consumer } = step;
          item = { kind: "consumer", consumer };
          const problem = this.#problemOf(consumer, left);
          if (problem !== undefined) {
            this.#skip(item, problem);
            core.subscriptions.notRecovered(consumer.consumerTag, problem);
            continue;
          }
        }
        await this.#timed(this.#take(core, step));
        item = { kind: "channel", channel: record };
      }
      await this.#timed(opened);
      this.#host.channelRecovered(core);
      return undefined;
    } catch (error) {
      this.#suspect(item, error);
      this.#check();
      if (core.state === "closing" || core.state === "closed") return undefined;
      return { item, error };
    }
  }

  /**
   * Takes the channel's number. It may be too high for the server that is there now; or that server has not agreed yet
   * that the channel is closed, which is waited for.
   */
  async #open(core: ChannelCore): Promise<ChannelEngine | undefined> {
    const since = this.#now;
    for (;;) {
      try {
        return this.#link.engine.openChannel(core.number);
      } catch (error) {
        if (!(error instanceof UsageError) || error.code !== "INVALID_ARGUMENT") throw error;
        const isTooHigh = core.number > (this.#link.engine.channelMax || Infinity);
        if (!isTooHigh && this.#now - since >= itemTimeout) throw error;
        if (isTooHigh) {
          const text = `Channel ${core.number} could not be recovered: ${error.message}`;
          this.#host.channelFailed(core, new ChannelError("CHANNEL_LIMIT", text, undefined, { cause: error }));
          return undefined;
        }
      }
      await this.#sleep(askedRetryDelay);
    }
  }

  /** Consumers whose cancellation was asked for meanwhile are not among them. */
  #consumerSteps(record: ChannelRecord): ChannelStep[] {
    const { topology, plan } = this.#host;
    return consumersToStart(topology, record, { mode: plan.topology, filter: this.#safeFilter() });
  }

  /** Why a consumer is not even tried. */
  #problemOf(consumer: ConsumerRecord, left: ReadonlySet<string>): unknown {
    const key = `consumer ${consumerKey(consumer)}`;
    if (left.has(key)) return new Error("It was left out");
    if (this.#host.topology.suspects.isPoison(key)) return new Error("The server closed the connection for it, twice");
    return this.#missing.get(`queue ${consumer.queue}`);
  }

  async #take(core: ChannelCore, step: ChannelStep): Promise<void> {
    switch (step.type) {
      case "confirm.select":
      case "tx.select":
        await core.restore(step.type, {});
        return;
      case "basic.qos": {
        const { prefetchCount, global } = step;
        await core.restore("basic.qos", { prefetchSize: 0, prefetchCount, global });
        return;
      }
      case "basic.consume": {
        const { consumerTag, queue, noAck, exclusive, arguments: table } = step.consumer;
        const subscription = core.subscriptions.find(consumerTag);
        // It was cancelled a moment ago.
        if (subscription === undefined || subscription.state !== "consuming") return;
        const offset = subscription.nextOffset;
        const fields = offset === undefined ? table : { ...table, "x-stream-offset": offset };
        await core.restore("basic.consume", { queue, consumerTag, noAck, exclusive, arguments: fields });
        return;
      }
    }
  }

  // Topology

  async #declareExchange({ name, ...attributes }: ExchangeRecord): Promise<void> {
    await this.#declaring.restore("exchange.declare", { exchange: name, ...attributes });
  }

  /** Resolves with the name that the queue has now. */
  async #declareQueue(record: QueueRecord): Promise<string> {
    const { name, serverNamed, durable, exclusive, autoDelete, arguments: table } = record;
    const queue = serverNamed ? "" : name;
    const fields = { queue, durable, exclusive, autoDelete, arguments: table };
    const { queue: newName } = await this.#declaring.restore("queue.declare", fields);
    if (newName !== name) this.#host.queueRenamed(name, newName);
    return newName;
  }

  async #bind(binding: BindingRecord): Promise<void> {
    const { destinationKind, destination, source, routingKey, arguments: table } = binding;
    const fields = { routingKey, arguments: table };
    if (destinationKind === "exchange") {
      await this.#declaring.restore("exchange.bind", { destination, source, ...fields });
    } else {
      await this.#declaring.restore("queue.bind", { queue: destination, exchange: source, ...fields });
    }
  }

  get #declaring(): ChannelCore {
    if (this.#private === undefined || this.#private.state === "closed")
      this.#private = this.#host.openPrivateChannel(this.#channelsHaveNumbers);
    return this.#private;
  }

  /** Declares again what a binding or a consumer needs, with all bindings: they went with it. */
  #restoreDependency(item: TopologyItem): Promise<void> {
    const turn = this.#dependency.then(() => this.#declareDependency(item));
    this.#dependency = turn.catch(() => {});
    return turn;
  }

  async #declareDependency(item: TopologyItem): Promise<void> {
    const { topology } = this.#host;
    for (const exchange of this.#dependencies(exchangesToDeclare, neededExchanges(item))) {
      await this.#item({ kind: "exchange", exchange }, () => this.#declareExchange(exchange));
    }
    for (const queue of this.#dependencies(queuesToDeclare, neededQueues(item))) {
      let { name } = queue;
      await this.#item({ kind: "queue", queue }, async () => {
        name = await this.#declareQueue(queue);
      });
      for (const binding of topology.bindings) {
        if (binding.destinationKind !== "queue" || binding.destination !== name) continue;
        if (item.kind === "binding" && bindingKey(binding) === bindingKey(item.binding)) continue;
        await this.#item({ kind: "binding", binding }, () => this.#bind(binding));
      }
    }
  }

  /** The records of these names, as far as they are declared again at all. */
  #dependencies<T extends { readonly name: string }>(
    select: (topology: Topology, options: ReplayOptions) => readonly T[],
    names: readonly string[],
  ): T[] {
    if (names.length === 0) return [];
    const { topology, plan } = this.#host;
    return select(topology, { mode: plan.topology, filter: this.#safeFilter() }).filter(({ name }) =>
      names.includes(name),
    );
  }

  // One item

  /** Makes one item, as often as it takes. Resolves also when it is left out. */
  async #item(item: TopologyItem, make: () => Promise<unknown>): Promise<void> {
    const since = this.#now;
    if (this.#host.topology.suspects.isPoison(keyOf(item))) {
      return this.#skip(item, new Error("The server closed the connection for it, twice"));
    }
    for (let attempt = 1; ; attempt += 1) {
      this.#check();
      const missing = this.#missingFor(item);
      if (missing !== undefined) return this.#skip(item, missing);
      // Under another name it is made already.
      if (item.kind === "binding" && !this.#host.topology.holdsBinding(item.binding)) return;
      try {
        await this.#timed(make());
        return;
      } catch (error) {
        this.#suspect(item, error);
        this.#check();
        const verdict = await this.#decide(item, error, attempt, this.#now - since);
        if (verdict.action === "skip") return;
        if (verdict.action === "restore-dependency") await this.#declareDependency(item);
      }
    }
  }

  /** What follows from a failure. Resolves when it is time for it; rejects when the attempt is over. */
  async #decide(item: TopologyItem, error: unknown, attempt: number, elapsed: Millis): Promise<ItemVerdict> {
    if (error instanceof ConnectionError) throw error;
    const verdict = judgeFailure({
      kind: item.kind,
      error,
      attempt,
      elapsed,
      heartbeat: this.#heartbeat,
      dependencyRecorded: this.#isDependencyRecorded(item),
    });
    const action = verdict.action === "restore-dependency" ? "retry" : verdict.action;
    const asked = this.#ask({ item, error, attempt, action });
    switch (asked ?? action) {
      case "close":
        this.#host.close();
        throw new Stopped();
      case "abort":
        this.#link.abort();
        throw error;
      case "skip":
        this.#skip(item, error, attempt);
        return { action: "skip" };
      case "retry":
        this.#tell({ item, error, attempt, action: "retry" });
        if (verdict.action === "restore-dependency") return verdict;
        await this.#sleep(verdict.action === "retry" ? verdict.delay : askedRetryDelay);
        return verdict.action === "retry" ? verdict : { action: "retry", delay: 0 };
    }
  }

  #ask(failure: TopologyFailure): TopologyAction | undefined {
    let answer: TopologyAction | undefined;
    contain(() => {
      answer = this.#host.plan.onTopologyError?.(failure);
    }, this.#host.report);
    return answer;
  }

  #skip(item: TopologyItem, error: unknown, attempt = 1): void {
    const failure: TopologyFailure = { item, error, attempt, action: "skip" };
    this.#missing.set(keyOf(item), error);
    this.failures.push(failure);
    this.#tell(failure);
  }

  #tell(failure: TopologyFailure): void {
    this.#host.topologyError(failure);
  }

  /** The server ended the connection for what this item sent. */
  #suspect(item: TopologyItem, error: unknown): void {
    if (!(error instanceof ConnectionError) || error.replyCode === undefined) return;
    if (methodsOf[item.kind].includes(error.method ?? "")) this.#host.topology.suspects.add(keyOf(item));
  }

  /** Why the queue or exchange that a binding needs could not be declared. */
  #missingFor(item: TopologyItem): unknown {
    for (const name of neededExchanges(item)) {
      const missing = this.#missing.get(`exchange ${name}`);
      if (missing !== undefined) return missing;
    }
    for (const name of neededQueues(item)) {
      const missing = this.#missing.get(`queue ${name}`);
      if (missing !== undefined) return missing;
    }
    return undefined;
  }

  #isDependencyRecorded(item: TopologyItem): boolean {
    return (
      this.#dependencies(queuesToDeclare, neededQueues(item)).length > 0 ||
      this.#dependencies(exchangesToDeclare, neededExchanges(item)).length > 0
    );
  }

  /** A filter of the application's that throws leaves nothing out. */
  #safeFilter(): RecoveryPlan["filter"] {
    const { filter } = this.#host.plan;
    const safe = <T, Answer>(test: ((record: T) => Answer | boolean) | undefined) =>
      test &&
      ((record: T): Answer | boolean => {
        let keep: Answer | boolean = true;
        contain(() => {
          keep = test(record);
        }, this.#host.report);
        return keep;
      });
    return {
      exchange: safe(filter.exchange),
      queue: safe(filter.queue),
      binding: safe(filter.binding),
      consumer: safe(filter.consumer),
    };
  }

  // Time

  get #now(): Millis {
    return this.#host.io.now();
  }

  get #heartbeat(): number {
    return this.#link.engine.heartbeat;
  }

  #check(): void {
    if (this.#stopped) throw new Stopped();
  }

  /** Waits for an answer, but not for ever. A server that has blocked the connection reads nothing, and may take its time. */
  async #timed(answer: Promise<unknown>): Promise<void> {
    const { deadlines } = this.#host;
    const expire = (): void => {
      if (this.#link.engine.blocked === undefined) this.#link.abort();
      else cancel = deadlines.add(itemTimeout, { expire });
    };
    let cancel = deadlines.add(itemTimeout, { expire });
    try {
      await answer;
    } finally {
      cancel();
    }
  }

  async #sleep(delay: Millis): Promise<void> {
    this.#check();
    const over = new Future<void>();
    const wake = (): void => over.resolve();
    const cancel = this.#host.io.setTimer(delay, wake);
    this.#wakers.add(wake);
    await over.promise;
    this.#wakers.delete(wake);
    cancel();
    this.#check();
  }
}

/** Ends consumers that nobody starts again: their queue was being deleted, or the filter left them out. */
function endOthers({ subscriptions }: ChannelCore, steps: readonly ChannelStep[]): void {
  const tags = new Set(steps.map((step) => step.type === "basic.consume" && step.consumer.consumerTag));
  for (const { info, isStarted, state } of subscriptions.all()) {
    if (!isStarted || state !== "consuming" || tags.has(info.consumerTag)) continue;
    subscriptions.notRecovered(info.consumerTag, new Error("Its queue was deleted, or the filter left it out"));
  }
}

function recordOf(core: ChannelCore): ChannelRecord {
  const { id, mode, prefetchGlobal } = core.memory;
  return { id, number: core.number, mode, prefetch: core.subscriptions.agreedPrefetch, prefetchGlobal };
}
