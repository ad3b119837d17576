/**
 * Bringing everything back on a new connection: topology, channels, consumers, in this order. What is to be done is
 * decided by the pure functions of `recovery/`; here it is done, one item after the other, and an item that fails is
 * tried again, left out, or ends the attempt.
 */

import { ChannelError } from "../engine/errors.ts";
import type { ChannelEngine } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import { cannotBeSent } from "../recovery/causes.ts";
import type { ChannelRecord, ConsumerRecord } from "../recovery/records.ts";
import { type ChannelStep, channelSetup, consumersToStart } from "../recovery/replay.ts";
import { UsageError } from "../wire/errors.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { Link } from "./link.ts";
import { askedRetryDelay, itemTimeout, type Lost, RestoringAttempt } from "./restoring-attempt.ts";
import { keyOf } from "./restoring-items.ts";
import { TopologyRestoration } from "./restoring-topology.ts";
import type { TopologyFailure, TopologyItem } from "./recovery-options.ts";

/** One attempt to restore, on one link. */
export class Restoration {
  readonly #attempt: RestoringAttempt;
  readonly #topology: TopologyRestoration;
  readonly #restoring = new Set<ChannelCore>();

  constructor(lost: Lost, link: Link) {
    this.#attempt = new RestoringAttempt(lost, link);
    this.#topology = new TopologyRestoration(this.#attempt);
  }

  get failures(): readonly TopologyFailure[] {
    return this.#attempt.failures;
  }

  get stopped(): boolean {
    return this.#attempt.stopped;
  }

  /** Whether a channel is being brought back at the moment. */
  isRestoring(core: ChannelCore): boolean {
    return this.#restoring.has(core);
  }

  /** Ends it. Whatever it waits for, it does nothing any more. */
  stop(): void {
    this.#attempt.stop();
  }

  /**
   * Restores everything. Rejects when the attempt has failed, which ends the link as well.
   *
   * The topology comes before the channels: its private channel then finds a free number whatever the application uses.
   */
  async run(): Promise<void> {
    const { connection, topology } = this.#attempt;
    this.#attempt.check();
    await this.#topology.run();
    await this.#topology.closePrivate();
    this.#topology.numbersAreTaken();
    const channels = connection.registry.all;
    if (topology.suspects.any) for (const core of channels) await this.#channel(core);
    else await Promise.all(channels.map((core) => this.#channel(core)));
    await this.#topology.closePrivate();
    this.#attempt.check();
  }

  /** Restores nothing but one channel. */
  async only(core: ChannelCore): Promise<void> {
    this.#topology.numbersAreTaken();
    await this.#channel(core);
    await this.#topology.closePrivate();
    this.#attempt.check();
  }

  /** Opens one channel, brings it into its mode, and starts its consumers. */
  async #channel(core: ChannelCore): Promise<void> {
    this.#restoring.add(core);
    try {
      await this.#untilRestored(core);
    } finally {
      this.#restoring.delete(core);
    }
  }

  async #untilRestored(core: ChannelCore): Promise<void> {
    const left = new Set<string>();
    const tries = new Map<string, { attempt: number; readonly since: Millis }>();
    for (;;) {
      this.#attempt.check();
      if (isOver(core)) return;
      const failed = await this.#tryChannel(core, left);
      if (failed === undefined) return;
      const { item, error } = failed;
      if (!(error instanceof ChannelError)) throw error;
      const key = keyOf(item);
      const tried = tries.get(key) ?? { attempt: 0, since: this.#attempt.now };
      tried.attempt += 1;
      tries.set(key, tried);
      const elapsed = this.#attempt.now - tried.since;
      const next = await this.#attempt.decide(item, error, tried.attempt, elapsed);
      if (next === "restore-dependency") await this.#topology.restoreDependency(item);
      if (next !== "skip") continue;
      left.add(key);
      if (item.kind !== "consumer") return core.ended({ error, requests: [] });
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
      this.#attempt.link.touch();
      for (const step of channelSetup(record)) await this.#attempt.timed(this.#take(core, step));
      // Consumers whose cancellation was asked for meanwhile are not among them.
      const consumerSteps = consumersToStart(
        this.#attempt.topology,
        record,
        core.subscriptions.tags,
        this.#attempt.options,
      );
      endOthers(core, consumerSteps);
      for (const step of consumerSteps) {
        if (step.type === "basic.consume") {
          const { consumer } = step;
          item = { kind: "consumer", consumer };
          const problem = this.#problemOf(item, left);
          if (problem !== undefined) {
            this.#leaveOut(core, consumer, problem);
            continue;
          }
        }
        await this.#attempt.timed(this.#take(core, step));
        item = { kind: "channel", channel: record };
      }
      await this.#attempt.timed(opened);
      this.#attempt.check();
      this.#attempt.connection.emit("channel-recovered", { channel: core.number });
      return undefined;
    } catch (error) {
      this.#attempt.suspect(item, error);
      this.#attempt.check();
      if (isOver(core)) return undefined;
      return { item, error };
    }
  }

  /**
   * Takes the channel's number. It may be too high for the server that is there now; or that server has not agreed yet
   * that the channel is closed, which is waited for.
   */
  async #open(core: ChannelCore): Promise<ChannelEngine | undefined> {
    const since = this.#attempt.now;
    for (;;) {
      try {
        return this.#attempt.link.engine.openChannel(core.number);
      } catch (error) {
        if (!(error instanceof UsageError) || error.code !== "INVALID_ARGUMENT") throw error;
        const isTooHigh = core.number > this.#attempt.link.engine.channelMax;
        if (!isTooHigh && this.#attempt.now - since >= itemTimeout) throw error;
        if (isTooHigh) {
          const text = `Channel ${core.number} could not be recovered: ${error.message}`;
          const end = new ChannelError("CHANNEL_LIMIT", text, undefined, { cause: error });
          core.ended({ error: end, requests: [] });
          return undefined;
        }
      }
      await this.#attempt.sleep(askedRetryDelay);
    }
  }

  #leaveOut(core: ChannelCore, consumer: ConsumerRecord, problem: unknown): void {
    this.#attempt.skip({ kind: "consumer", consumer }, problem);
    core.subscriptions.notRecovered(consumer.consumerTag, problem);
  }

  /** Why a consumer is not even tried. */
  #problemOf(consumer: TopologyItem, left: ReadonlySet<string>): unknown {
    return left.has(keyOf(consumer)) ? new Error("It was left out") : this.#attempt.problemOf(consumer);
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
        const offset = subscription.info.position?.next;
        const fields = offset === undefined ? table : { ...table, "x-stream-offset": offset };
        try {
          await core.restore("basic.consume", { queue, consumerTag, noAck, exclusive, arguments: fields });
        } catch (error) {
          if (!cannotBeSent(error)) throw error;
          this.#leaveOut(core, step.consumer, error);
        }
        return;
      }
    }
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

/** Whether nobody needs a channel any more. */
export function isOver({ state }: ChannelCore): boolean {
  return state === "closed" || state === "closing";
}

function recordOf(core: ChannelCore): ChannelRecord {
  const { id, mode, prefetchGlobal } = core.memory;
  return { id, number: core.number, mode, prefetch: core.subscriptions.agreedPrefetch, prefetchGlobal };
}
