/** What a client does about its exchanges, queues and bindings: one thing at a time about each of them. */

import type { Ledger } from "../ledger.ts";
import type { Random } from "../random.ts";
import type { ChannelModel, RequestModel } from "./channel-model.ts";
import type { Channel } from "./client.ts";
import type { Exchanges, OwnedExchange } from "../exchanges.ts";
import type { Owned, OwnedQueue, Queues } from "../queues.ts";

type Make = (engine: Channel) => ReturnType<Channel["request"]>;

/** What all clients of a world share, and what is left to chance. */
interface TopologySurroundings {
  readonly queues: Queues;
  readonly exchanges: Exchanges;
  readonly ledger: Ledger;
  readonly random: Random;
}

export class TopologyUser {
  readonly #number: number;
  readonly #queues: Queues;
  readonly #exchanges: Exchanges;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #request: (channel: ChannelModel, make: Make, model: RequestModel) => void;

  constructor(
    number: number,
    { queues, exchanges, ledger, random }: TopologySurroundings,
    request: (channel: ChannelModel, make: Make, model: RequestModel) => void,
  ) {
    this.#number = number;
    this.#queues = queues;
    this.#exchanges = exchanges;
    this.#ledger = ledger;
    this.#random = random;
    this.#request = request;
  }

  changeQueue(channel: ChannelModel, action: "declare" | "delete" | "purge"): void {
    const queue = this.#pickQueue(action);
    if (queue === undefined) return;
    const before = queue.state;
    queue.busy = true;
    if (action !== "purge") queue.state = "unknown";
    const bindings = action === "delete" ? this.#exchanges.bindingsTo(queue) : [];
    for (const binding of bindings) binding.state = "unknown";
    const emptied = action === "declare" ? undefined : this.#ledger.emptying(queue.name);
    const model: RequestModel = {
      answered: () => {
        queue.state = action === "purge" ? before : action === "declare" ? "present" : "absent";
        if (queue.disturbed) queue.state = "unknown";
        for (const binding of bindings) binding.state = "absent";
      },
      ended: () => {
        queue.busy = false;
        queue.disturbed = false;
        emptied?.();
      },
    };
    this.#request(channel, (engine) => requestOn(engine, action, queue), model);
  }

  changeExchange(channel: ChannelModel, action: "declare-exchange" | "delete-exchange"): void {
    const exchange = this.#random.pick(this.#exchanges.ownedBy(this.#number));
    const isDeleted = action === "delete-exchange";
    if (exchange === undefined || exchange.busy) return;
    if (isDeleted && exchange.bindings.some(({ busy }) => busy)) return;
    const affected = isDeleted ? [exchange, ...exchange.bindings] : [exchange];
    const make: Make = (engine) => {
      const { name, type, arguments: table } = exchange;
      return isDeleted
        ? engine.request("exchange.delete", { exchange: name })
        : engine.request("exchange.declare", { exchange: name, type, durable: true, arguments: table });
    };
    this.#changeRoutes(channel, exchange, affected, isDeleted ? "absent" : "present", make);
  }

  changeBinding(channel: ChannelModel, action: "bind" | "unbind"): void {
    const random = this.#random;
    const exchange = random.pick(this.#exchanges.ownedBy(this.#number));
    const binding = random.pick(exchange?.bindings ?? []);
    if (exchange?.state !== "present" || binding?.queue.state !== "present") return;
    if (binding.busy || binding.queue.busy || exchange.busy) return;
    const make: Make = (engine) => {
      const { queue, routingKey, arguments: table } = binding;
      const fields = { queue: queue.name, exchange: exchange.name, routingKey, arguments: table };
      return action === "bind" ? engine.request("queue.bind", fields) : engine.request("queue.unbind", fields);
    };
    this.#changeRoutes(channel, exchange, [binding], action === "bind" ? "present" : "absent", make);
  }

  /** Asks for something that changes where messages go: until it is over nobody knows. */
  #changeRoutes(
    channel: ChannelModel,
    exchange: OwnedExchange,
    affected: readonly Owned[],
    becomes: "present" | "absent",
    make: Make,
  ): void {
    const routed = this.#ledger.rerouting(this.#exchanges.dependents(exchange));
    for (const one of affected) {
      one.busy = true;
      one.state = "unknown";
    }
    this.#request(channel, make, {
      answered: () => {
        for (const one of affected) one.state = one.disturbed ? "unknown" : becomes;
      },
      ended: () => {
        for (const one of affected) {
          one.busy = false;
          one.disturbed = false;
        }
        routed();
      },
    });
  }

  /** A queue to do something about: one has its graveyard before it has dead letters. */
  #pickQueue(action: "declare" | "delete" | "purge"): OwnedQueue | undefined {
    const queue = this.#random.pick(this.#queues.ownedBy(this.#number));
    if (queue === undefined) return undefined;
    const chosen = queue.graveyard !== undefined && queue.graveyard.state !== "present" ? queue.graveyard : queue;
    if (chosen.busy || (chosen.isGraveyard && (action !== "declare" || chosen.state === "present"))) return undefined;
    const isBinding = this.#exchanges.bindingsTo(chosen).some(({ busy }) => busy);
    return action === "delete" && isBinding ? undefined : chosen;
  }
}

function requestOn(engine: Channel, action: "declare" | "delete" | "purge", { name, arguments: table }: OwnedQueue) {
  switch (action) {
    case "declare":
      return engine.request("queue.declare", { queue: name, durable: true, arguments: table });
    case "delete":
      return engine.request("queue.delete", { queue: name });
    case "purge":
      return engine.request("queue.purge", { queue: name });
  }
}
