/**
 * What became of every message: the book that a simulation keeps, and holds against the broker at rest.
 *
 * Every message is persistent and mandatory, goes to a durable queue through the default exchange, and has an id that
 * its properties carry. So a confirmed message was either returned, or is in its queue until somebody takes it out by
 * a right: an acknowledgement, a rejection, a purge, the deletion of the queue.
 */

import type { QueueSnapshot } from "../broker/index.ts";
import { invariant } from "./violation.ts";

interface Entry {
  readonly id: number;
  readonly queue: string;
  /** Which publishing channel sent it, and as which of its messages: the order that a consumer may rely on. */
  readonly publisher: number;
  readonly number: number;
  readonly bodySize: number;
  outcome: "unknown" | "confirmed" | "refused" | "returned";
  /** Somebody had the right to remove it. */
  mayBeGone: boolean;
}

/** What the ledger knows of a consumer: the highest message that it got first-hand of each publisher. */
export type SeenInOrder = Map<number, number>;

/** The messages of one simulation. */
export class Ledger {
  readonly #entries: Entry[] = [];
  readonly #byQueue = new Map<string, Entry[]>();
  /** Queues whose deletion or purge is under way: what is published meanwhile may go with it. */
  readonly #emptying = new Map<string, number>();
  /** Queues that go with their connection, or that an operator deletes: their messages may be gone at any time. */
  readonly #fleeting = new Set<string>();

  get published(): number {
    return this.#entries.length;
  }

  get confirmed(): number {
    return this.#entries.reduce((count, { outcome }) => (outcome === "confirmed" ? count + 1 : count), 0);
  }

  /** Books a message that is about to be published, and returns its id. */
  publish(queue: string, publisher: number, number: number, bodySize: number): number {
    const id = this.#entries.length;
    const mayBeGone = this.#fleeting.has(queue) || (this.#emptying.get(queue) ?? 0) > 0;
    const entry: Entry = { id, queue, publisher, number, bodySize, outcome: "unknown", mayBeGone };
    this.#entries.push(entry);
    const ofQueue = this.#byQueue.get(queue);
    if (ofQueue === undefined) this.#byQueue.set(queue, [entry]);
    else ofQueue.push(entry);
    return id;
  }

  /** The server settled a publish. */
  settle(id: number, outcome: "ack" | "nack"): void {
    const entry = this.#entry(id);
    if (entry.outcome === "unknown") entry.outcome = outcome === "ack" ? "confirmed" : "refused";
    else
      invariant(entry.outcome === "returned", "a publish is settled once", () => `message ${id} was ${entry.outcome}`);
  }

  /** The server handed a message back. */
  returned(id: number): void {
    const entry = this.#entry(id);
    invariant(
      entry.outcome === "unknown",
      "a return comes before its confirm, and once",
      () => `message ${id} was ${entry.outcome}`,
    );
    entry.outcome = "returned";
  }

  /** A message was delivered. */
  delivered(id: number, queue: string, bodySize: number, redelivered: boolean, seen: SeenInOrder): void {
    const entry = this.#entry(id);
    invariant(
      entry.queue === queue,
      "a message comes from its queue",
      () => `message ${id} of ${entry.queue} came from ${queue}`,
    );
    invariant(
      entry.bodySize === bodySize,
      "a body arrives whole",
      () => `message ${id} has ${bodySize} of ${entry.bodySize} bytes`,
    );
    invariant(entry.outcome !== "returned", "a returned message is in no queue", () => `message ${id}`);
    if (redelivered) return;
    const last = seen.get(entry.publisher) ?? -1;
    invariant(
      entry.number > last,
      "a consumer gets the messages of a publisher in order",
      () => `message ${entry.number} of publisher ${entry.publisher} after ${last}`,
    );
    seen.set(entry.publisher, entry.number);
  }

  /** Somebody asked the broker to drop a message: acknowledged it, rejected it, or took it without acknowledging. */
  mayBeGone(id: number): void {
    this.#entry(id).mayBeGone = true;
  }

  /** A purge or a deletion of a queue was asked for. Call the result when it is over, answered or not. */
  emptying(queue: string): () => void {
    this.#emptying.set(queue, (this.#emptying.get(queue) ?? 0) + 1);
    for (const entry of this.#byQueue.get(queue) ?? []) entry.mayBeGone = true;
    return () => {
      this.#emptying.set(queue, (this.#emptying.get(queue) ?? 1) - 1);
    };
  }

  /** Messages of this queue may be gone at any time from now on, and those it had. */
  fleeting(queue: string): void {
    this.#fleeting.add(queue);
    for (const entry of this.#byQueue.get(queue) ?? []) entry.mayBeGone = true;
  }

  /** At rest: nothing is lost, nothing is there twice, nothing was made up. */
  checkAtRest(queues: readonly QueueSnapshot[]): void {
    const found = new Map<number, string>();
    for (const queue of queues) {
      const order: SeenInOrder = new Map();
      for (const { properties } of queue.messages) {
        const id = Number(properties.messageId);
        const entry = this.#entry(id);
        invariant(
          !found.has(id),
          "a message is in one place",
          () => `message ${id} is in ${queue.name} and ${found.get(id)}`,
        );
        invariant(
          entry.queue === queue.name,
          "a message is in its queue",
          () => `message ${id} of ${entry.queue} is in ${queue.name}`,
        );
        invariant(entry.outcome !== "returned", "a returned message is in no queue", () => `message ${id}`);
        found.set(id, queue.name);
        const last = order.get(entry.publisher) ?? -1;
        invariant(
          entry.number > last,
          "a queue keeps the order of a publisher, also of what came back",
          () => `message ${entry.number} of publisher ${entry.publisher} after ${last} in ${queue.name}`,
        );
        order.set(entry.publisher, entry.number);
      }
    }
    for (const { id, queue, outcome, mayBeGone } of this.#entries) {
      if (outcome !== "confirmed" || mayBeGone) continue;
      invariant(found.has(id), "no confirmed message is lost", () => `message ${id} is not in queue ${queue}`);
    }
  }

  #entry(id: number): Entry {
    const entry = this.#entries[id];
    invariant(entry !== undefined, "nothing is delivered that was not published", () => `message ${id}`);
    return entry;
  }
}
