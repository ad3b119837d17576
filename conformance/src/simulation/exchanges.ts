/**
 * The exchanges of a simulated world, and where what is published to them goes: as the specification has it, by lists
 * that were written by hand, and not by anybody's code.
 */

import type { FieldTable } from "@leveret/core/wire";
import type { Route } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { Owned, OwnedQueue, Queues } from "./queues.ts";

/** An exchange of a client, which binds it to its own queues. */
export interface OwnedExchange extends Owned {
  readonly type: ExchangeType;
  readonly arguments: FieldTable;
  /** Where goes what has no queue. */
  readonly alternate: OwnedExchange | undefined;
  readonly bindings: readonly OwnedBinding[];
}

/** A binding, which is there or not. */
export interface OwnedBinding extends Owned {
  readonly queue: OwnedQueue;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

type ExchangeType = "fanout" | "direct" | "topic" | "headers";

interface Plan {
  /** Bindings to the first or the second queue of the client. */
  readonly bindings: readonly { readonly to: 0 | 1; readonly key?: string; readonly table?: FieldTable }[];
  /** What is published, and the bindings that it matches. */
  readonly kinds: readonly [Kind, ...Kind[]];
}

interface Kind {
  readonly key: string;
  readonly headers?: FieldTable;
  readonly matches: readonly number[];
}

const plans: Readonly<Record<ExchangeType, Plan>> = {
  fanout: {
    bindings: [{ to: 0 }, { to: 1 }],
    kinds: [{ key: "any", matches: [0, 1] }],
  },
  direct: {
    bindings: [
      { to: 0, key: "zero" },
      { to: 1, key: "one" },
      { to: 0, key: "both" },
      { to: 1, key: "both" },
    ],
    kinds: [
      { key: "zero", matches: [0] },
      { key: "one", matches: [1] },
      { key: "both", matches: [2, 3] },
      { key: "none", matches: [] },
    ],
  },
  topic: {
    bindings: [
      { to: 0, key: "a.*" },
      { to: 1, key: "#.z" },
      { to: 1, key: "a.#" },
    ],
    kinds: [
      { key: "a.b", matches: [0, 2] },
      { key: "a.z", matches: [0, 1, 2] },
      { key: "z", matches: [1] },
      { key: "c.d.z", matches: [1] },
      { key: "a", matches: [2] },
      { key: "b.a", matches: [] },
    ],
  },
  headers: {
    bindings: [
      { to: 0, table: { "x-match": "all", h: 1, g: "two" } },
      { to: 1, table: { "x-match": "any", h: 1, k: true } },
    ],
    kinds: [
      { key: "", headers: { h: 1, g: "two" }, matches: [0, 1] },
      { key: "", headers: { h: 1 }, matches: [1] },
      { key: "", headers: { k: true, g: "two" }, matches: [1] },
      { key: "", headers: { g: "two", h: 2 }, matches: [] },
    ],
  },
};

/** All exchanges, by their owners. */
export class Exchanges {
  readonly #owned: readonly (readonly OwnedExchange[])[];
  readonly #all: readonly OwnedExchange[];

  constructor(queues: Queues, clients: number, random: Random) {
    this.#owned = Array.from({ length: clients }, (_, client) => exchangesOf(client, queues, random));
    this.#all = this.#owned.flat();
  }

  get all(): readonly OwnedExchange[] {
    return this.#all;
  }

  ownedBy(client: number): readonly OwnedExchange[] {
    return this.#owned[client] ?? [];
  }

  /** Exchanges where something is different when this one changes: itself, and those that fall back on it. */
  dependents(exchange: OwnedExchange): readonly string[] {
    return this.#all.filter((one) => one === exchange || one.alternate === exchange).map(({ name }) => name);
  }

  /** Bindings to a queue. */
  bindingsTo(queue: OwnedQueue): readonly OwnedBinding[] {
    return this.#all.flatMap(({ bindings }) => bindings.filter((binding) => binding.queue === queue));
  }

  /** Something to publish to an exchange that is there; `undefined` when there is none. */
  pickRoute(random: Random): Route | undefined {
    const exchange = random.pick(this.#all.filter(({ state }) => state === "present"));
    if (exchange === undefined) return undefined;
    const { key: routingKey, headers, matches } = random.pick(plans[exchange.type].kinds);
    const matching = exchange.bindings.filter((_, index) => matches.includes(index));
    const fallback = exchange.alternate?.bindings ?? [];
    const isUnbound = matching.every(({ state, busy }) => state === "absent" && !busy);
    // The alternate exchange is asked when there is surely nothing else, and it is there.
    const asked = isUnbound ? (isSettled(exchange.alternate) ? fallback : []) : matching;
    return {
      exchange: exchange.name,
      routingKey,
      headers,
      homes: isSettled(exchange) ? namesOf(asked.filter(isSettled)) : [],
      possible: namesOf([...matching, ...fallback]),
    };
  }
}

/** Whether it is there, and nobody is about to change that. */
function isSettled(owned: Owned | undefined): boolean {
  return owned?.state === "present" && !owned.busy;
}

function namesOf(bindings: readonly OwnedBinding[]): readonly string[] {
  return [...new Set(bindings.map(({ queue }) => queue.name))];
}

function exchangesOf(client: number, queues: Queues, random: Random): readonly OwnedExchange[] {
  const type = random.pick(["fanout", "direct", "topic", "headers"] as const);
  const [first, second] = queues.ownedBy(client) as readonly [OwnedQueue, OwnedQueue];
  const alternate = random.chance(0.5) ? exchangeOf(`alt${client}`, "fanout", [[first, "", {}]]) : undefined;
  const bindings = plans[type].bindings.map(
    ({ to, key = "", table = {} }) => [to === 0 ? first : second, key, table] as const,
  );
  const exchange = exchangeOf(`x${client}`, type, bindings, alternate);
  return alternate === undefined ? [exchange] : [exchange, alternate];
}

function exchangeOf(
  name: string,
  type: ExchangeType,
  bindings: readonly (readonly [OwnedQueue, string, FieldTable])[],
  alternate?: OwnedExchange,
): OwnedExchange {
  const absent = { state: "absent", busy: false, disturbed: false } as const;
  return {
    ...absent,
    name,
    type,
    arguments: alternate === undefined ? {} : { "alternate-exchange": alternate.name },
    alternate,
    bindings: bindings.map(([queue, routingKey, table]) => ({
      ...absent,
      name: `${name} to ${queue.name} by ${routingKey}`,
      queue,
      routingKey,
      arguments: table,
    })),
  };
}
