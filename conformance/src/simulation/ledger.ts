/**
 * What became of every message: the book that a simulation keeps, and holds against the broker at rest.
 *
 * Every message is persistent, goes to durable queues, and has an id that its properties carry. So a confirmed message
 * was either returned, or is in each queue that was its home for sure, or has become a dead letter of it by rule, until
 * somebody takes it out by a right: an acknowledgement, a rejection, a purge, the deletion of the queue.
 */

import type { BasicProperties, FieldTable } from "@leveret/core/wire";
import type { QueueSnapshot } from "../broker/index.ts";
import { invariant } from "./violation.ts";

/** Where a message is published to. */
export interface Route {
  readonly exchange: string;
  readonly routingKey: string;
  /** What the exchange routes by. */
  readonly headers?: FieldTable | undefined;
  /** The queues that get it for sure. */
  readonly homes: readonly string[];
  /** The queues that may get it. */
  readonly possible: readonly string[];
}

/** A message that is about to be published. */
export interface Publishing {
  readonly route: Route;
  /** Which publishing channel sends it, and as which of its messages: the order that a consumer may rely on. */
  readonly publisher: number;
  readonly number: number;
  readonly bodySize: number;
  /** Whether it comes back when no queue gets it. */
  readonly mandatory: boolean;
}

/** The way to the default exchange, and one queue. */
export function routeTo(queue: string, exists = true): Route {
  const queues = exists ? [queue] : [];
  return { exchange: "", routingKey: queue, homes: queues, possible: queues };
}

/** A message as somebody got it. */
export interface Arrival {
  /** The queue that it came from. */
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: BasicProperties;
  readonly bodySize: number;
  readonly redelivered: boolean;
}

/** Where the dead letters of queues go, and for which reasons. */
export type Graves = ReadonlyMap<string, { readonly queue: string; readonly reasons: ReadonlySet<string> }>;

/** A queue that has a message for sure, or has given it up by rule. */
interface Home {
  readonly queue: string;
  /** Where it is as a dead letter. */
  readonly graveyard: string | undefined;
  /** Somebody had the right to remove it. */
  mayBeGone: boolean;
}

interface Entry extends Publishing {
  readonly id: number;
  readonly homes: readonly Home[];
  outcome: "unknown" | "confirmed" | "refused" | "returned";
  /** Somebody asked for its being given up. */
  isRejected: boolean;
}

/** What the ledger knows of a consumer: the highest message that it got first-hand of each publisher. */
export type SeenInOrder = Map<number, number>;

/** The messages of one simulation. */
export class Ledger {
  readonly #graves: Graves;
  readonly #entries: Entry[] = [];
  readonly #byQueue = new Map<string, Home[]>();
  /** Queues whose deletion or purge is under way: what is published meanwhile may go with it. */
  readonly #emptying = new Map<string, number>();
  /** Exchanges of which something is being changed: where messages go is not known meanwhile. */
  readonly #rerouting = new Map<string, number>();
  /** Queues that go with their connection, or that an operator deletes: their messages may be gone at any time. */
  readonly #fleeting = new Set<string>();
  #buried = 0;

  constructor(graves: Graves = new Map()) {
    this.#graves = graves;
  }

  get published(): number {
    return this.#entries.length;
  }

  get confirmed(): number {
    return this.#entries.reduce((count, { outcome }) => (outcome === "confirmed" ? count + 1 : count), 0);
  }

  /** Messages that were found among the dead letters at rest. */
  get buried(): number {
    return this.#buried;
  }

  /** Books a message that is about to be published, and returns its id. */
  publish(message: Publishing): number {
    const id = this.#entries.length;
    const { exchange, homes: queues } = message.route;
    const isUnsure = (this.#rerouting.get(exchange) ?? 0) > 0;
    const homes = queues.map((queue): Home => {
      const graveyard = this.#graves.get(queue)?.queue;
      const isFleeting = this.#fleeting.has(queue) || (graveyard !== undefined && this.#fleeting.has(graveyard));
      const mayBeGone = isUnsure || isFleeting || (this.#emptying.get(queue) ?? 0) > 0;
      const home: Home = { queue, graveyard, mayBeGone };
      this.#index(queue, home);
      if (graveyard !== undefined) this.#index(graveyard, home);
      return home;
    });
    this.#entries.push({ ...message, id, homes, outcome: "unknown", isRejected: false });
    return id;
  }

  #index(queue: string, home: Home): void {
    const homes = this.#byQueue.get(queue);
    if (homes === undefined) this.#byQueue.set(queue, [home]);
    else homes.push(home);
  }

  /** The server settled a publish. */
  settle(id: number, outcome: "ack" | "nack"): void {
    const entry = this.#entry(id);
    if (entry.outcome !== "unknown") {
      invariant(entry.outcome === "returned", "a publish is settled once", () => `message ${id} was ${entry.outcome}`);
      return;
    }
    entry.outcome = outcome === "ack" ? "confirmed" : "refused";
    invariant(
      outcome === "nack" || !entry.mandatory || entry.route.possible.length > 0,
      "a mandatory message that no queue gets comes back",
      () => `message ${id} to ${nameOf(entry.route)}`,
    );
  }

  /** The server handed a message back. */
  returned(id: number): void {
    const entry = this.#entry(id);
    invariant(
      entry.outcome === "unknown",
      "a return comes before its confirm, and once",
      () => `message ${id} was ${entry.outcome}`,
    );
    const home = entry.homes.find(({ mayBeGone }) => !mayBeGone);
    invariant(
      home === undefined,
      "a message that has a queue does not come back",
      () => `message ${id} to ${nameOf(entry.route)}, which leads to ${home?.queue}`,
    );
    entry.outcome = "returned";
  }

  /** A message was delivered. */
  delivered(
    id: number,
    { queue, exchange, routingKey, properties, bodySize, redelivered }: Arrival,
    seen: SeenInOrder,
  ): void {
    const entry = this.#entry(id);
    const isDead = this.#checkPlace(entry, queue, properties);
    invariant(
      isDead || (entry.route.exchange === exchange && entry.route.routingKey === routingKey),
      "a message keeps its exchange and its key",
      () => `message ${id} to ${nameOf(entry.route)} has ${exchange}, ${routingKey}`,
    );
    invariant(
      entry.bodySize === bodySize,
      "a body arrives whole",
      () => `message ${id} has ${bodySize} of ${entry.bodySize} bytes`,
    );
    invariant(entry.outcome !== "returned", "a returned message is in no queue", () => `message ${id}`);
    // Dead letters come in the order of their deaths.
    if (redelivered || isDead) return;
    const last = seen.get(entry.publisher) ?? -1;
    invariant(
      entry.number > last,
      "a consumer gets the messages of a publisher in order",
      () => `message ${entry.number} of publisher ${entry.publisher} after ${last}`,
    );
    seen.set(entry.publisher, entry.number);
  }

  /** A message is in one of its queues, or is a dead letter of one by rule. Returns whether it is dead. */
  #checkPlace({ id, route, isRejected }: Entry, queue: string, { headers }: BasicProperties): boolean {
    if (route.possible.includes(queue)) return false;
    const deaths = headers?.["x-death"];
    const death = (Array.isArray(deaths) ? deaths[0] : undefined) as FieldTable | undefined;
    const origin = String(death?.["queue"]);
    const grave = this.#graves.get(origin);
    invariant(
      grave?.queue === queue && route.possible.includes(origin),
      "a message comes from its queue",
      () => `message ${id} to ${nameOf(route)} came from ${queue}`,
    );
    const reason = String(death?.["reason"]);
    invariant(
      grave.reasons.has(reason) && (reason !== "rejected" || isRejected),
      "a message dies by rule",
      () => `message ${id} of ${origin}: ${reason}`,
    );
    invariant(
      Number(death?.["count"]) === 1,
      "a message dies once",
      () => `message ${id}: ${String(death?.["count"])} times`,
    );
    return true;
  }

  /**
   * Somebody asked the broker to drop a message: acknowledged it, or took it without acknowledging.
   *
   * @param queue - Where it came from, if that is known.
   */
  mayBeGone(id: number, queue?: string): void {
    for (const home of this.#entry(id).homes) {
      if (queue === undefined || home.queue === queue || home.graveyard === queue) home.mayBeGone = true;
    }
  }

  /** Somebody rejected a message. Where dead letters are kept, it becomes one. */
  rejected(id: number, queue?: string): void {
    const entry = this.#entry(id);
    entry.isRejected = true;
    if (queue === undefined || !this.#graves.has(queue)) this.mayBeGone(id, queue);
  }

  /** A purge or a deletion of a queue was asked for. Call the result when it is over, answered or not. */
  emptying(queue: string): () => void {
    this.#emptying.set(queue, (this.#emptying.get(queue) ?? 0) + 1);
    for (const home of this.#byQueue.get(queue) ?? []) home.mayBeGone = true;
    return () => {
      this.#emptying.set(queue, (this.#emptying.get(queue) ?? 1) - 1);
    };
  }

  /** Something of these exchanges is about to change. Call the result when it is over, answered or not. */
  rerouting(exchanges: readonly string[]): () => void {
    for (const exchange of exchanges) this.#rerouting.set(exchange, (this.#rerouting.get(exchange) ?? 0) + 1);
    for (const { route, outcome, homes } of this.#entries) {
      // What is confirmed has been routed.
      if (outcome !== "unknown" || !exchanges.includes(route.exchange)) continue;
      for (const home of homes) home.mayBeGone = true;
    }
    return () => {
      for (const exchange of exchanges) this.#rerouting.set(exchange, (this.#rerouting.get(exchange) ?? 1) - 1);
    };
  }

  /** Messages of this queue may be gone at any time from now on, and those it had. */
  fleeting(queue: string): void {
    this.#fleeting.add(queue);
    for (const home of this.#byQueue.get(queue) ?? []) home.mayBeGone = true;
  }

  /** At rest: nothing is lost, nothing is there twice, nothing was made up. */
  checkAtRest(queues: readonly QueueSnapshot[]): void {
    const found = new Map<number, string[]>();
    for (const queue of queues) {
      const order: SeenInOrder = new Map();
      for (const { properties } of queue.messages) {
        const id = Number(properties.messageId);
        const entry = this.#entry(id);
        const isDead = this.#checkPlace(entry, queue.name, properties);
        invariant(entry.outcome !== "returned", "a returned message is in no queue", () => `message ${id}`);
        // A dead letter stands for the one that died.
        const place = isDead ? originOf(properties) : queue.name;
        const places = found.get(id) ?? [];
        invariant(!places.includes(place), "a message is in a queue once", () => `message ${id} of ${place}`);
        found.set(id, [...places, place]);
        if (isDead) {
          this.#buried += 1;
          continue;
        }
        const last = order.get(entry.publisher) ?? -1;
        invariant(
          entry.number > last,
          "a queue keeps the order of a publisher, also of what came back",
          () => `message ${entry.number} of publisher ${entry.publisher} after ${last} in ${queue.name}`,
        );
        order.set(entry.publisher, entry.number);
      }
    }
    for (const { id, homes, outcome } of this.#entries) {
      if (outcome !== "confirmed") continue;
      for (const { queue, mayBeGone } of homes) {
        invariant(
          mayBeGone || found.get(id)?.includes(queue) === true,
          "no confirmed message is lost",
          () => `message ${id} is not in queue ${queue}, nor among its dead letters`,
        );
      }
    }
  }

  #entry(id: number): Entry {
    const entry = this.#entries[id];
    invariant(entry !== undefined, "nothing is delivered that was not published", () => `message ${id}`);
    return entry;
  }
}

function originOf({ headers }: BasicProperties): string {
  const deaths = headers?.["x-death"] as readonly FieldTable[] | undefined;
  return String(deaths?.[0]?.["queue"]);
}

function nameOf({ exchange, routingKey }: Route): string {
  return `${exchange === "" ? "the default exchange" : exchange} (${routingKey})`;
}
