/** Streams: a log that every consumer reads for itself, from where it likes. */

import type { EncodedProperties } from "@leveret/core/wire";
import { long } from "../codec/field-builders.ts";
import { boolValue, type Field, type Fields, integerValue, lookup, nestedFields, textValue } from "../codec/fields.ts";
import { Deque } from "../lib/deque.ts";
import type { Millis } from "../lib/timers.ts";
import type { Message } from "../message.ts";
import { parseInterval } from "../topology/queue-arguments.ts";
import { type QueueEntry, sizeOf } from "./entry.ts";
import { Queue } from "./queue.ts";
import type { QueueConsumer } from "./queue-consumers.ts";

/** Where a consumer begins. */
export type StreamStart =
  | { readonly from: "first" | "last" | "next" }
  | { readonly from: "offset"; readonly offset: number }
  | { readonly from: "time"; readonly time: Millis };

/** Reads `x-stream-offset`; `undefined` when it makes no sense. Without it, a consumer begins behind the last message. */
export function parseStreamStart(field: Field | undefined, now: Millis): StreamStart | undefined {
  if (field === undefined) return { from: "next" };
  const word = textValue(field);
  if (word === "first" || word === "last" || word === "next") return { from: word };
  if (word !== undefined) {
    const interval = parseInterval(word);
    return interval === undefined ? undefined : { from: "time", time: now - interval };
  }
  const number = integerValue(field);
  if (number === undefined) return undefined;
  if (field.type === "timestamp") return { from: "time", time: Number(number) * 1000 };
  return { from: "offset", offset: Number(number) };
}

/** Which messages a consumer wants, by their `x-stream-filter-value`. */
export interface StreamFilter {
  readonly values: ReadonlySet<string>;
  /** Those without a value, too. */
  readonly matchesUnfiltered: boolean;
}

/** Reads `x-stream-filter`, a text or several; `undefined`: everything is wanted. */
export function parseStreamFilter(consumerArguments: Fields): StreamFilter | undefined {
  const field = lookup(consumerArguments, "x-stream-filter");
  if (field === undefined) return undefined;
  const fields = field.type === "array" ? nestedFields(field) : [field];
  const values = fields.map(textValue).filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  const matchesUnfiltered = boolValue(lookup(consumerArguments, "x-stream-match-unfiltered")) ?? false;
  return { values: new Set(values), matchesUnfiltered };
}

const transientMode = 1;

/** What is dropped at once. */
interface Segment {
  count: number;
  bytes: number;
  newest: Millis;
}

/** A stream, as far as AMQP 0-9-1 sees it. */
export class StreamQueue extends Queue {
  readonly #log = new Deque<QueueEntry>();
  readonly #segments = new Deque<Segment>();
  #current: Segment | undefined;
  #bytes = 0;
  #nextOffset = 0;
  /** The offset that each consumer reads next. */
  readonly #cursors = new Map<QueueConsumer, number>();
  readonly #filters = new Map<QueueConsumer, StreamFilter>();
  #unsettled = 0;

  override get messageCount(): number {
    return this.#log.length;
  }

  override get unsettledCount(): number {
    return this.#unsettled;
  }

  override messages(): Iterable<QueueEntry> {
    return this.#log;
  }

  override publish(message: Message): boolean {
    const entry: QueueEntry = {
      message,
      position: this.#nextOffset++,
      arrivedAt: this.host.now(),
      expiresAt: undefined,
      redelivered: false,
      failures: 0,
      returns: 0,
    };
    this.#log.push(entry);
    this.holds(message, 1);
    this.#append(entry);
    this.#retain();
    this.host.schedule(this);
    return true;
  }

  /** Lets a consumer read from a place on. It is added as any consumer is. */
  position(consumer: QueueConsumer, start: StreamStart, filter: StreamFilter | undefined): void {
    this.#cursors.set(consumer, this.#offsetOf(start));
    if (filter !== undefined) this.#filters.set(consumer, filter);
  }

  override removeConsumer(consumer: QueueConsumer): void {
    this.#cursors.delete(consumer);
    this.#filters.delete(consumer);
    super.removeConsumer(consumer);
  }

  override pump(): void {
    if (this.isDeleted) return;
    for (const consumer of this.consumers) {
      for (;;) {
        const cursor = Math.max(this.#cursors.get(consumer) ?? this.#nextOffset, this.#firstOffset);
        if (cursor >= this.#nextOffset) break;
        if (!consumer.hasCredit()) break;
        this.#cursors.set(consumer, cursor + 1);
        const entry = this.#log.at(cursor - this.#firstOffset) as QueueEntry;
        if (passes(entry, this.#filters.get(consumer))) consumer.deliver(entry);
      }
    }
  }

  override get(): QueueEntry | undefined {
    return undefined;
  }

  override delivered(): void {
    this.#unsettled += 1;
  }

  override consumed(): void {}

  /** In a stream every settlement gives credit, and nothing else. */
  override acknowledge(): void {
    this.#unsettled -= 1;
  }

  override putBack(): void {
    this.#unsettled -= 1;
  }

  override discard(): void {
    this.#unsettled -= 1;
  }

  override purge(): number {
    return 0;
  }

  override propertiesOf(entry: QueueEntry): EncodedProperties {
    const { properties } = entry.message;
    const kept = (properties.headers ?? []).filter((field) => field.name !== "x-stream-offset");
    const deliveryMode = properties.deliveryMode ?? (this.host.profile.streamsSayTransient ? transientMode : undefined);
    const headers = [...kept, long("x-stream-offset", entry.position)];
    return properties.with({ headers, deliveryMode }).encoded;
  }

  override loseTransient(): void {}

  protected override drop(): void {
    for (const { message } of this.#log) this.holds(message, -1);
    this.#log.clear();
    this.#bytes = 0;
    this.#cursors.clear();
    this.#filters.clear();
  }

  get #firstOffset(): number {
    return this.#nextOffset - this.#log.length;
  }

  #offsetOf(start: StreamStart): number {
    switch (start.from) {
      case "first":
        return this.#firstOffset;
      case "last":
        return Math.max(this.#firstOffset, this.#nextOffset - 1);
      case "next":
        return this.#nextOffset;
      case "offset":
        return start.offset;
      case "time":
        return this.#firstSince(start.time);
    }
  }

  /** The offset of the first message that is as young; arrival times ascend. */
  #firstSince(time: Millis): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#log.at(middle) as QueueEntry).arrivedAt < time) low = middle + 1;
      else high = middle;
    }
    return this.#firstOffset + low;
  }

  #append(entry: QueueEntry): void {
    if (this.#current === undefined || this.#current.bytes >= this.settings.segmentSize) {
      this.#current = { count: 0, bytes: 0, newest: 0 };
      this.#segments.push(this.#current);
    }
    this.#current.count += 1;
    this.#current.bytes += sizeOf(entry);
    this.#current.newest = entry.arrivedAt;
    this.#bytes += sizeOf(entry);
  }

  /** Drops whole segments that are too old or too much, never the last one. */
  #retain(): void {
    const { maxLengthBytes, maxAge } = this.settings;
    const tooOld = maxAge === undefined ? Number.NEGATIVE_INFINITY : this.host.now() - maxAge;
    for (let oldest = this.#segments.peek(); this.#segments.length > 1; oldest = this.#segments.peek()) {
      if (oldest === undefined) return;
      const tooMuch = maxLengthBytes !== undefined && this.#bytes > maxLengthBytes;
      if (!tooMuch && oldest.newest >= tooOld) return;
      this.#segments.take();
      for (let count = oldest.count; count > 0; count -= 1) this.holds((this.#log.take() as QueueEntry).message, -1);
      this.#bytes -= oldest.bytes;
    }
  }
}

function passes({ message }: QueueEntry, filter: StreamFilter | undefined): boolean {
  if (filter === undefined) return true;
  const value = textValue(lookup(message.headers ?? [], "x-stream-filter-value"));
  return value === undefined ? filter.matchesUnfiltered : filter.values.has(value);
}
