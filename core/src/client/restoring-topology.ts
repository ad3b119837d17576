/** Bringing exchanges, queues and bindings back: declared on a channel of their own, in an order that holds. */

import { type BindingRecord, bindingKey, type ExchangeRecord, type QueueRecord } from "../recovery/records.ts";
import { bindingsToMake, exchangesToDeclare, queuesToDeclare } from "../recovery/replay.ts";
import type { ChannelCore } from "./channel-core.ts";
import { done } from "./futures.ts";
import type { RestoringAttempt } from "./restoring-attempt.ts";
import { keyOf, neededExchanges, neededQueues } from "./restoring-items.ts";
import type { TopologyItem } from "./recovery-options.ts";

export class TopologyRestoration {
  readonly #attempt: RestoringAttempt;
  /** A failure there hurts no channel of the application's. */
  #private: ChannelCore | undefined;
  /** Whether a private channel has to keep away from the numbers of the others. */
  #channelsHaveNumbers = false;
  /** Dependencies are restored one after the other: what fails on the private channel is then known. */
  #dependency: Promise<void> = done;
  /** New names of queues, by the old ones, that nothing else has heard of yet. */
  #names = new Map<string, string>();

  constructor(attempt: RestoringAttempt) {
    this.#attempt = attempt;
  }

  /** Restores all of it. */
  async run(): Promise<void> {
    const { options, topology } = this.#attempt;
    for (const exchange of exchangesToDeclare(topology, options)) {
      await this.#item({ kind: "exchange", exchange }, () => this.#declareExchange(exchange));
    }
    for (const queue of queuesToDeclare(topology, options)) {
      await this.#item({ kind: "queue", queue }, () => this.#declareQueue(queue));
    }
    this.#takeNames();
    for (const binding of bindingsToMake(topology, options)) {
      // A queue that had to be declared once more has another name, and its bindings are made.
      if (!topology.holdsBinding(binding)) continue;
      await this.#item({ kind: "binding", binding }, () => this.#bind(binding));
    }
  }

  /** From now on channels have their numbers. */
  numbersAreTaken(): void {
    this.#channelsHaveNumbers = true;
  }

  /** Nothing is to be declared for now. */
  async closePrivate(): Promise<void> {
    if (this.#private !== undefined) await this.#attempt.timed(this.#private.close({}));
    this.#private = undefined;
  }

  get #declaring(): ChannelCore {
    const { connection } = this.#attempt;
    if (this.#private === undefined || this.#private.state === "closed")
      this.#private = connection.registry.openPrivate(connection, this.#channelsHaveNumbers);
    return this.#private;
  }

  /** Declares again what a binding or a consumer needs, with all bindings: they went with it. */
  restoreDependency(item: TopologyItem): Promise<void> {
    const turn = this.#dependency.then(() => this.#declareDependency(item));
    this.#dependency = turn.catch(() => {});
    return turn;
  }

  /** @param isOfQueue - Whether it is a binding of a queue that was declared again just now: what else there is of that is made. */
  async #declareDependency(item: TopologyItem, isOfQueue = false): Promise<void> {
    const { topology } = this.#attempt;
    for (const exchange of this.#attempt.dependencies(exchangesToDeclare, neededExchanges(item))) {
      await this.#item({ kind: "exchange", exchange }, () => this.#declareExchange(exchange));
    }
    // The bindings of one queue, each of which needs something, would call for one another without an end.
    if (isOfQueue) return;
    for (const queue of this.#attempt.dependencies(queuesToDeclare, neededQueues(item))) {
      let { name } = queue;
      await this.#item({ kind: "queue", queue }, async () => {
        name = await this.#declareQueue(queue);
      });
      this.#takeNames();
      for (const binding of topology.bindings) {
        if (binding.destinationKind !== "queue" || binding.destination !== name) continue;
        if (item.kind === "binding" && bindingKey(binding) === bindingKey(item.binding)) continue;
        await this.#item({ kind: "binding", binding }, () => this.#bind(binding), true);
      }
    }
  }

  // One item

  /** Makes one item, as often as it takes. Resolves also when it is left out. */
  async #item(item: TopologyItem, make: () => Promise<unknown>, isOfQueue?: boolean): Promise<void> {
    // A binding that was left out with its queue is left out once.
    if (item.kind === "binding" && this.#attempt.missing.has(keyOf(item))) return;
    const since = this.#attempt.now;
    for (let attempt = 1; ; attempt += 1) {
      this.#attempt.check();
      const problem = this.#attempt.problemOf(item);
      if (problem !== undefined) return this.#attempt.skip(item, problem);
      // Under another name it is made already.
      if (item.kind === "binding" && !this.#attempt.topology.holdsBinding(item.binding)) return;
      try {
        await this.#attempt.timed(make());
        return;
      } catch (error) {
        this.#attempt.suspect(item, error);
        this.#attempt.check();
        const next = await this.#attempt.decide(item, error, attempt, this.#attempt.now - since);
        if (next === "skip") return;
        if (next === "restore-dependency") await this.#declareDependency(item, isOfQueue);
      }
    }
  }

  // One declaration

  async #declareExchange({ name, ...attributes }: ExchangeRecord): Promise<void> {
    await this.#declaring.restore("exchange.declare", { exchange: name, ...attributes });
  }

  /** Resolves with the name that the queue has now. */
  async #declareQueue(record: QueueRecord): Promise<string> {
    const { name, serverNamed, durable, exclusive, autoDelete, arguments: table } = record;
    const queue = serverNamed ? "" : name;
    const fields = { queue, durable, exclusive, autoDelete, arguments: table };
    const { queue: newName } = await this.#declaring.restore("queue.declare", fields);
    if (newName !== name) this.#names.set(name, newName);
    return newName;
  }

  /** Whatever named queues by their old names names the new ones. For all of them at once: that costs a walk through all records. */
  #takeNames(): void {
    const { connection, topology } = this.#attempt;
    const names = this.#names;
    if (names.size === 0) return;
    this.#names = new Map();
    topology.queuesRenamed(names);
    for (const { subscriptions, memory } of connection.registry.all) {
      subscriptions.queuesRenamed(names);
      memory.lastDeclared = names.get(memory.lastDeclared ?? "") ?? memory.lastDeclared;
    }
    for (const [oldName, newName] of names) connection.emit("queue-renamed", { oldName, newName });
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
}
