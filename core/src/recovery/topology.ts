/**
 * The registry of one connection: what to declare again after an outage. It belongs to the connection and not to its
 * channels, since a queue that one channel declared may be deleted by another.
 */

import { RecordMap } from "./record-map.ts";
import {
  type BindingRecord,
  bindingKey,
  type ConsumerRecord,
  consumerKey,
  type ExchangeRecord,
  type QueueRecord,
} from "./records.ts";
import { Suspects } from "./suspects.ts";

/** A removal that was asked of the server and is not answered yet. */
export interface Removal {
  /** The server agreed: the record is gone, and what hung on it. */
  done(): void;
  /** The server refused: the record stays. Does nothing once the removal is decided. */
  refused(): void;
}

/**
 * Exchanges, queues, bindings and consumers, each kind in the order in which they were made.
 *
 * A removal counts from the moment it is sent: if the connection is lost before the answer, the thing is not declared
 * again, because the application wanted it gone. What the server removes by its own rules (auto-delete) is removed here
 * by the same rules, so that records do not pile up.
 */
export class Topology {
  /** What is to be left out, by `exchange NAME`, `queue NAME`, `binding KEY` and `consumer KEY`. */
  readonly suspects: Suspects = new Suspects();
  readonly #exchanges = new RecordMap<ExchangeRecord>();
  readonly #queues = new RecordMap<QueueRecord>();
  readonly #bindings = new RecordMap<BindingRecord>();
  readonly #consumers = new RecordMap<ConsumerRecord>();
  /** How many consumers each queue has here, and how many bindings each source: auto-delete asks for the last one. */
  readonly #consumersOf = new Tally();
  readonly #bindingsOf = new Tally();
  /** What will happen to the records once their removal is decided, by their identity. */
  readonly #removing = new Map<object, () => void>();

  /** What is to be declared again: records whose removal is not under way. */
  get exchanges(): ExchangeRecord[] {
    return this.#standing(this.#exchanges);
  }

  get queues(): QueueRecord[] {
    return this.#standing(this.#queues);
  }

  get bindings(): BindingRecord[] {
    return this.#standing(this.#bindings);
  }

  /** The number of all records, for counters. */
  get size(): number {
    return this.#exchanges.size + this.#queues.size + this.#bindings.size + this.#consumers.size;
  }

  exchange(name: string): ExchangeRecord | undefined {
    return this.#exchanges.get(name);
  }

  queue(name: string): QueueRecord | undefined {
    return this.#queues.get(name);
  }

  /** A consumer that is recorded, and that nobody removes. */
  consumer(consumer: Pick<ConsumerRecord, "channelId" | "consumerTag">): ConsumerRecord | undefined {
    const record = this.#consumers.get(consumerKey(consumer));
    return record !== undefined && this.#removing.has(record) ? undefined : record;
  }

  /** Whether a binding is recorded, and nobody removes it. */
  holdsBinding(binding: BindingRecord): boolean {
    const record = this.#bindings.get(bindingKey(binding));
    return record !== undefined && !this.#removing.has(record);
  }

  // What was made

  /** An exchange was declared; its attributes are now these. */
  exchangeDeclared(record: ExchangeRecord): void {
    this.suspects.clear(`exchange ${record.name}`);
    this.#exchanges.set(record.name, record);
  }

  /** A queue was declared; its attributes are now these. */
  queueDeclared(record: QueueRecord): void {
    this.suspects.clear(`queue ${record.name}`);
    this.#queues.set(record.name, record);
  }

  bound(record: BindingRecord): void {
    const key = bindingKey(record);
    this.suspects.clear(`binding ${key}`);
    if (!this.#bindings.has(key)) this.#bindingsOf.add(record.source);
    this.#bindings.set(key, record);
  }

  consumerStarted(record: ConsumerRecord): void {
    const key = consumerKey(record);
    this.suspects.clear(`consumer ${key}`);
    if (!this.#consumers.has(key)) this.#consumersOf.add(record.queue);
    this.#consumers.set(key, record);
  }

  // What is to go

  /** `exchange.delete` was sent. */
  removeExchange(name: string): Removal {
    return this.#remove(this.#exchanges.get(name), () => this.#exchangeGone(name));
  }

  /** `queue.delete` was sent. */
  removeQueue(name: string): Removal {
    return this.#remove(this.#queues.get(name), () => this.#queueGone(name));
  }

  /** `queue.unbind` or `exchange.unbind` was sent. */
  removeBinding(binding: BindingRecord): Removal {
    return this.#remove(this.#bindings.get(bindingKey(binding)), (record) => this.#bindingGone(record));
  }

  /** `basic.cancel` was sent. */
  removeConsumer(consumer: Pick<ConsumerRecord, "channelId" | "consumerTag">): Removal {
    return this.#remove(this.#consumers.get(consumerKey(consumer)), (record) => this.#consumerGone(record));
  }

  /** The connection was lost: removals that were not answered are taken as done. */
  connectionLost(): void {
    for (const gone of [...this.#removing.values()]) gone();
    this.#removing.clear();
  }

  /** The server gave queues that it names other names, by the old ones: what named those names the new ones. */
  queuesRenamed(names: ReadonlyMap<string, string>): void {
    rename(this.#queues, "name", names, (queue) => queue.name);
    // No exchange has a name of those that the server gives to queues.
    rename(this.#bindings, "destination", names, bindingKey);
    rename(this.#consumers, "queue", names, consumerKey);
    for (const [oldName, newName] of names) this.#consumersOf.rename(oldName, newName);
  }

  // What follows from what

  #consumerGone(consumer: Pick<ConsumerRecord, "channelId" | "consumerTag">): void {
    const key = consumerKey(consumer);
    // Its queue may have another name than when its removal began.
    const record = this.#consumers.get(key);
    if (record === undefined) return;
    const { queue } = record;
    this.#consumers.delete(key);
    const isLast = this.#consumersOf.add(queue, -1) === 0;
    if (isLast && this.#queues.get(queue)?.autoDelete === true) this.#queueGone(queue);
  }

  #queueGone(name: string): void {
    const record = this.#queues.get(name);
    if (record === undefined) return;
    this.#queues.delete(name);
    for (const binding of [...this.#bindings.values()]) {
      if (binding.destinationKind === "queue" && binding.destination === name) this.#bindingGone(binding);
    }
    for (const consumer of [...this.#consumers.values()]) if (consumer.queue === name) this.#consumerGone(consumer);
  }

  #bindingGone(record: BindingRecord): void {
    if (!this.#bindings.delete(bindingKey(record))) return;
    const isLast = this.#bindingsOf.add(record.source, -1) === 0;
    if (isLast && this.#exchanges.get(record.source)?.autoDelete === true) this.#exchangeGone(record.source);
  }

  #exchangeGone(name: string): void {
    const record = this.#exchanges.get(name);
    if (record === undefined) return;
    this.#exchanges.delete(name);
    for (const binding of [...this.#bindings.values()]) {
      const leadsHere = binding.destinationKind === "exchange" && binding.destination === name;
      if (leadsHere || binding.source === name) this.#bindingGone(binding);
    }
  }

  // Removals

  #standing<T extends object>(records: ReadonlyMap<string, T>): T[] {
    return [...records.values()].filter((record) => !this.#removing.has(record));
  }

  #remove<T extends object>(record: T | undefined, gone: (record: T) => void): Removal {
    const removing = this.#removing;
    if (record !== undefined) removing.set(record, () => gone(record));
    return {
      done: () => {
        if (record !== undefined && removing.delete(record)) gone(record);
      },
      refused: () => {
        if (record !== undefined) removing.delete(record);
      },
    };
  }
}

/** Counts by name. */
class Tally extends RecordMap<number> {
  /** Returns how many there are then. */
  add(name: string, more = 1): number {
    const count = (this.get(name) ?? 0) + more;
    if (count > 0) this.set(name, count);
    else this.delete(name);
    return count;
  }

  rename(oldName: string, newName: string): void {
    const count = this.get(oldName);
    this.delete(oldName);
    if (count !== undefined) this.set(newName, count);
  }
}

/** Puts other values in the place of those with an old name, under the keys that they have then. */
function rename<Field extends string, T extends Readonly<Record<Field, string>>>(
  records: RecordMap<T>,
  field: Field,
  names: ReadonlyMap<string, string>,
  keyOf: (record: T) => string,
): void {
  const before = [...records.values()];
  records.clear();
  for (const record of before) {
    const name = names.get(record[field]);
    const now = name === undefined ? record : { ...record, [field]: name };
    records.set(keyOf(now), now);
  }
}
