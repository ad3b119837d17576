/** The consumers of one queue, and whose turn it is. */

import { Deque } from "../lib/deque.ts";
import type { QueueEntry } from "./entry.ts";

/** A consumer, as its queue sees it. */
export interface QueueConsumer {
  readonly tag: string;
  /** Higher ones are served first, while they take. */
  readonly priority: number;
  readonly exclusive: boolean;
  readonly noAck: boolean;
  /** When the queue passed it over for want of credit, as a count; whoever gives it credit tells the queue. */
  parkedAt: number | undefined;
  /** Deliveries that it has not settled. */
  readonly unsettled: number;
  /** It takes a message now: its prefetch limit is not reached, and its connection keeps up. */
  hasCredit(): boolean;
  deliver(entry: QueueEntry): void;
  /** The queue is gone. */
  cancelledByServer(): void;
}

/** Round robin among consumers of one priority; one consumer alone where the queue wants a single active one. */
export class QueueConsumers {
  readonly #singleActive: boolean;
  readonly #activeGivesWay: boolean;
  /** In the order in which they came. */
  readonly #all = new Set<QueueConsumer>();
  /** Consumers that may take, by priority, the next one first. Some may be gone meanwhile. */
  readonly #waiting = new Map<number, Deque<QueueConsumer>>();
  /** The priorities of `#waiting`, highest first. */
  #priorities: readonly number[] = [];
  #active: QueueConsumer | undefined;
  /** Consumers in `#waiting` that are gone. */
  #gone = 0;
  /** Consumers that were passed over and may have credit again. */
  #revived = new Set<QueueConsumer>();
  #parkings = 0;

  /** @param activeGivesWay - To one of a higher priority, once it owes nothing; until then it gets nothing more. */
  constructor(singleActive: boolean, activeGivesWay = false) {
    this.#singleActive = singleActive;
    this.#activeGivesWay = activeGivesWay;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The one that is served where only one is. */
  get active(): QueueConsumer | undefined {
    return this.#active;
  }

  get hasExclusive(): boolean {
    for (const consumer of this.#all) return consumer.exclusive;
    return false;
  }

  /** How many are kept for their turn, those included that are gone and have not been dropped yet. */
  get lineLength(): number {
    let length = this.#revived.size;
    for (const line of this.#waiting.values()) length += line.length;
    return length;
  }

  [Symbol.iterator](): IterableIterator<QueueConsumer> {
    return this.#all.values();
  }

  add(consumer: QueueConsumer): void {
    this.#all.add(consumer);
    if (this.#singleActive) this.#active ??= consumer;
    else this.#enqueue(consumer);
  }

  remove(consumer: QueueConsumer): boolean {
    if (!this.#all.delete(consumer)) return false;
    if (this.#active === consumer) this.#active = this.#successor();
    this.#revived.delete(consumer);
    if (!this.#singleActive && consumer.parkedAt === undefined) this.#leaveLine();
    return true;
  }

  /** Whose turn it is; `undefined` when nobody takes. */
  next(): QueueConsumer | undefined {
    if (this.#revived.size > 0) this.#revive();
    if (this.#singleActive) return this.#nextActive();
    for (const priority of this.#priorities) {
      const line = this.#waiting.get(priority) as Deque<QueueConsumer>;
      for (let consumer = line.take(); consumer !== undefined; consumer = line.take()) {
        if (!this.#all.has(consumer)) {
          this.#gone -= 1;
          continue;
        }
        if (consumer.hasCredit()) {
          line.push(consumer);
          return consumer;
        }
        consumer.parkedAt = this.#parkings++;
      }
    }
    return undefined;
  }

  #nextActive(): QueueConsumer | undefined {
    const best = this.#activeGivesWay ? this.#successor() : undefined;
    if (best !== undefined && best.priority > (this.#active?.priority ?? best.priority)) {
      if ((this.#active?.unsettled ?? 0) > 0) return undefined;
      this.#active = best;
    }
    return this.#active?.hasCredit() === true ? this.#active : undefined;
  }

  /** A consumer that was passed over has credit again. */
  unpark(consumer: QueueConsumer): void {
    if (consumer.parkedAt !== undefined) this.#revived.add(consumer);
  }

  /** Those that waited longest come first. */
  #revive(): void {
    const revived = [...this.#revived].sort((left, right) => (left.parkedAt ?? 0) - (right.parkedAt ?? 0));
    this.#revived.clear();
    for (const consumer of revived) {
      consumer.parkedAt = undefined;
      this.#enqueue(consumer);
    }
  }

  /** Someone in line is gone. When that is true of most, they are dropped, and priorities that nobody has. */
  #leaveLine(): void {
    this.#gone += 1;
    if (this.#gone <= this.#all.size) return;
    const line = [...this.#waiting.values()].flatMap((one) => [...one]).filter((one) => this.#all.has(one));
    this.#waiting.clear();
    this.#priorities = [];
    this.#gone = 0;
    for (const one of line) this.#enqueue(one);
  }

  #enqueue(consumer: QueueConsumer): void {
    let line = this.#waiting.get(consumer.priority);
    if (line === undefined) {
      line = new Deque();
      this.#waiting.set(consumer.priority, line);
      this.#priorities = [...this.#waiting.keys()].sort((left, right) => right - left);
    }
    line.push(consumer);
  }

  /** The first of those with the highest priority. */
  #successor(): QueueConsumer | undefined {
    let best: QueueConsumer | undefined;
    for (const consumer of this.#all) if (best === undefined || consumer.priority > best.priority) best = consumer;
    return best;
  }
}
