/**
 * One attempt to bring everything back, on one link: what it may still do, what has failed, and what follows from a failure.
 * What it brings back is topology (restoring-topology.ts) and channels (restoring.ts).
 */

import { ChannelError, ConnectionError } from "../engine/errors.ts";
import type { Millis } from "../engine/config.ts";
import { judgeFailure } from "../recovery/causes.ts";
import { exchangesToDeclare, queuesToDeclare, type ReplayOptions } from "../recovery/replay.ts";
import type { Topology } from "../recovery/topology.ts";
import { Future } from "./futures.ts";
import type { Link } from "./link.ts";
import { answerOf } from "./listeners.ts";
import type { RecoveryHost } from "./recovery.ts";
import { keyOf, methodsOf, neededExchanges, neededQueues } from "./restoring-items.ts";
import type { RecoveryPlan, TopologyAction, TopologyFailure, TopologyItem } from "./recovery-options.ts";

/** How long the server may take for one item: what it did is unknown after that, and the attempt begins again. */
export const itemTimeout: Millis = 20_000;

/** The wait before an item that is tried again because the application says so. */
export const askedRetryDelay: Millis = 1_000;

/** What a restoration is of. */
export interface Lost {
  readonly connection: RecoveryHost;
  readonly plan: RecoveryPlan;
  readonly topology: Topology;
}

/** What comes after a failure. */
type Step = "skip" | "retry" | "restore-dependency";

/** Ends a restoration that nobody needs any more. It does not reach the application. */
export class Stopped extends Error {}

export class RestoringAttempt {
  readonly connection: RecoveryHost;
  readonly topology: Topology;
  readonly #plan: RecoveryPlan;
  readonly link: Link;
  readonly failures: TopologyFailure[] = [];
  /** Queues and exchanges that could not be declared, with the reason. */
  readonly missing: Map<string, unknown> = new Map();
  /** What is brought back of all that is recorded. */
  readonly options: ReplayOptions;
  readonly #wakers = new Set<() => void>();
  #stopped = false;

  constructor({ connection, plan, topology }: Lost, link: Link) {
    this.connection = connection;
    this.topology = topology;
    this.#plan = plan;
    this.link = link;
    this.options = { mode: plan.topology, filter: this.#safeFilter() };
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Ends it. Whatever it waits for, it does nothing any more. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wakers) wake();
  }

  /** What follows from a failure. Resolves when it is time for it; rejects when the attempt is over. */
  async decide(item: TopologyItem, error: unknown, attempt: number, elapsed: Millis): Promise<Step> {
    if (error instanceof ConnectionError) throw error;
    const verdict = judgeFailure({
      kind: item.kind,
      error,
      attempt,
      elapsed,
      heartbeat: this.link.engine.heartbeat,
      dependencyRecorded: this.#isDependencyRecorded(item, error),
    });
    const action = verdict.action === "restore-dependency" ? "retry" : verdict.action;
    const ask = (): TopologyAction | undefined => this.#plan.onTopologyError?.({ item, error, attempt, action });
    const asked = answerOf(ask, undefined, this.connection.report);
    switch (asked ?? action) {
      case "close":
        void this.connection.close();
        throw new Stopped();
      case "abort":
        this.link.abort();
        throw error;
      case "skip":
        this.skip(item, error, attempt);
        return "skip";
      case "retry":
        this.connection.emit("topology-error", { item, error, attempt, action: "retry" });
        if (verdict.action === "restore-dependency") return verdict.action;
        await this.sleep(verdict.action === "retry" ? verdict.delay : askedRetryDelay);
        return "retry";
    }
  }

  skip(item: TopologyItem, error: unknown, attempt = 1): void {
    const failure: TopologyFailure = { item, error, attempt, action: "skip" };
    this.missing.set(keyOf(item), error);
    this.failures.push(failure);
    this.connection.emit("topology-error", failure);
  }

  /** The server ended the connection for what this item sent. */
  suspect(item: TopologyItem, error: unknown): void {
    if (!(error instanceof ConnectionError) || error.replyCode === undefined) return;
    if (methodsOf[item.kind].includes(error.method ?? "")) this.topology.suspects.add(keyOf(item));
  }

  /** Why an item is not even tried: it is poison, or a queue or exchange that it needs could not be declared. */
  problemOf(item: TopologyItem): unknown {
    if (this.topology.suspects.isPoison(keyOf(item))) {
      return new Error("The server closed the connection for it, twice");
    }
    const exchanges = neededExchanges(item).map((name) => `exchange ${name}`);
    const queues = neededQueues(item).map((name) => `queue ${name}`);
    return [...exchanges, ...queues].map((key) => this.missing.get(key)).find((problem) => problem !== undefined);
  }

  /** Whether what is missing could be declared again. Where the server says that it is an exchange, no queue is of help. */
  #isDependencyRecorded(item: TopologyItem, error: unknown): boolean {
    const isExchange = error instanceof ChannelError && error.replyText?.includes("no exchange") === true;
    return (
      (!isExchange && this.dependencies(queuesToDeclare, neededQueues(item)).length > 0) ||
      this.dependencies(exchangesToDeclare, neededExchanges(item)).length > 0
    );
  }

  /** The records of these names, as far as they are declared again at all. */
  dependencies<T extends { readonly name: string }>(
    select: (topology: Topology, options: ReplayOptions) => readonly T[],
    names: readonly string[],
  ): T[] {
    if (names.length === 0) return [];
    return select(this.topology, this.options).filter(({ name }) => names.includes(name));
  }

  /** A filter of the application's that throws leaves nothing out. */
  #safeFilter(): RecoveryPlan["filter"] {
    const { filter } = this.#plan;
    const safe = <T, Answer>(test: ((record: T) => Answer | boolean) | undefined) =>
      test && ((record: T) => answerOf(() => test(record), true, this.connection.report));
    return {
      exchange: safe(filter.exchange),
      queue: safe(filter.queue),
      binding: safe(filter.binding),
      consumer: safe(filter.consumer),
    };
  }

  // Time

  get now(): Millis {
    return this.connection.io.now();
  }

  check(): void {
    if (this.#stopped) throw new Stopped();
  }

  /** Waits for an answer, but not for ever. A server that has blocked the connection reads nothing, and may take its time. */
  async timed(answer: Promise<unknown>): Promise<void> {
    const { deadlines } = this.connection;
    const expire = (): void => {
      if (this.link.engine.blocked === undefined) this.link.abort();
      else deadline = deadlines.start(itemTimeout, { expire });
    };
    let deadline = deadlines.start(itemTimeout, { expire });
    try {
      await answer;
    } finally {
      deadline.cancel();
    }
  }

  async sleep(delay: Millis): Promise<void> {
    this.check();
    const over = new Future<void>();
    const wake = (): void => over.resolve();
    const cancel = this.connection.io.setTimer(delay, wake);
    this.#wakers.add(wake);
    await over.promise;
    this.#wakers.delete(wake);
    cancel();
    this.check();
  }
}
