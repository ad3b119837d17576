/** Classic and quorum queues: messages wait in line, each for one consumer. */

import type { EncodedProperties } from "@leveret/core/wire";
import { long } from "../codec/field-builders.ts";
import type { Field } from "../codec/fields.ts";
import type { Timer } from "../lib/timers.ts";
import type { Message } from "../message.ts";
import type { Profile } from "../profile.ts";
import type { QueueEntry } from "./entry.ts";
import { type DeathReason, Queue, type QueueDeclaration, type QueueHost, type Return } from "./queue.ts";
import {
  type Lanes,
  oneLane,
  priorityLanes,
  quorumStrictLanes,
  quorumTwoLanes,
  ReadyMessages,
} from "./ready-messages.ts";

/** The share of its limits at which a quorum queue that refused messages takes them again. */
const takesAgain = 0.8;

/** A classic or a quorum queue. */
export class MessageQueue extends Queue {
  readonly #ready: ReadyMessages;
  readonly #unsettled = new Set<QueueEntry>();
  readonly #expiry: Timer;
  #nextPosition = 0;
  /** A quorum queue that was longer than allowed, and may not be well below that yet. */
  #isFull = false;

  constructor(declaration: QueueDeclaration, host: QueueHost) {
    super(declaration, host);
    const { type, maxPriority } = this.settings;
    this.#ready =
      type === "quorum"
        ? new ReadyMessages("quorum", quorumLanes(host.profile))
        : new ReadyMessages("classic", maxPriority === undefined ? oneLane : priorityLanes(maxPriority));
    this.#expiry = host.timers.create(() => this.#expire());
  }

  override get messageCount(): number {
    return this.#ready.length;
  }

  override get unsettledCount(): number {
    return this.#unsettled.size;
  }

  override messages(): Iterable<QueueEntry> {
    return this.#ready;
  }

  override publish(message: Message): boolean {
    const { overflow } = this.settings;
    if (overflow !== "drop-head" && this.#refuses(message)) {
      if (overflow === "reject-publish-dlx") this.host.bury(this, message, "maxlen");
      return false;
    }
    this.holds(message, 1);
    const entry = this.#entryFor(message);
    // A message that somebody waits for is never in line: neither a limit nor a time to live of 0 can catch it.
    const consumer = this.#ready.length === 0 ? this.consumers.next() : undefined;
    if (consumer !== undefined) {
      consumer.deliver(entry);
      return true;
    }
    this.#ready.push(entry);
    this.#isFull ||= this.#exceeds(1);
    this.#dropExcess();
    this.#watchExpiry();
    return true;
  }

  override get(): QueueEntry | undefined {
    this.touch();
    this.#expire();
    const entry = this.#ready.take();
    this.#expire();
    return entry;
  }

  override delivered(entry: QueueEntry): void {
    this.#unsettled.add(entry);
  }

  override acknowledge(entry: QueueEntry): void {
    if (this.#unsettled.delete(entry)) this.consumed(entry);
  }

  override consumed(entry: QueueEntry): void {
    this.holds(entry.message, -1);
  }

  override putBack(entry: QueueEntry, how: Return): void {
    if (!this.#unsettled.delete(entry)) return;
    entry.redelivered = true;
    entry.returns += 1;
    if (how === "rejected" || this.host.profile.countsReturns) entry.failures += 1;
    const { deliveryLimit } = this.settings;
    if (deliveryLimit !== undefined && entry.failures > deliveryLimit) {
      this.#bury(entry, "delivery_limit");
      return;
    }
    // Where a quorum queue does not limit returns, what is handed back goes to the end, so that a message that comes back
    // for ever does not hold up the log. What a channel leaves behind does not come back for ever.
    const isLast = this.type === "quorum" && deliveryLimit === undefined && how !== "abandoned";
    if (isLast) this.#ready.push(entry);
    else this.#ready.putBack(entry);
    this.#dropExcess();
    this.#watchExpiry();
    this.host.schedule(this);
  }

  override discard(entry: QueueEntry): void {
    if (this.#unsettled.delete(entry)) this.#bury(entry, "rejected");
  }

  override purge(): number {
    const count = this.#ready.length;
    for (let entry = this.#ready.take(); entry !== undefined; entry = this.#ready.take()) {
      this.holds(entry.message, -1);
    }
    this.#expiry.off();
    return count;
  }

  override pump(): void {
    if (this.isDeleted) return;
    this.#expire();
    while (this.#ready.length > 0) {
      const consumer = this.consumers.next();
      if (consumer === undefined) return;
      consumer.deliver(this.#ready.take() as QueueEntry);
      // The next one may have been waiting for its turn to expire.
      this.#expire();
    }
  }

  override propertiesOf(entry: QueueEntry, isFetched: boolean): EncodedProperties {
    const { properties } = entry.message;
    const added = this.type === "quorum" ? this.#deliveryCounts(entry, isFetched) : [];
    if (added.length === 0) return properties.encoded;
    const names = new Set(added.map((field) => field.name));
    const kept = (properties.headers ?? []).filter((field) => !names.has(field.name));
    return properties.with({ headers: [...kept, ...added] }).encoded;
  }

  /** Drops what a restart of the broker loses. */
  override loseTransient(): void {
    const kept: QueueEntry[] = [];
    for (let entry = this.#ready.take(); entry !== undefined; entry = this.#ready.take()) {
      if (entry.message.isPersistent || this.type === "quorum") kept.push(entry);
      else this.holds(entry.message, -1);
    }
    for (const entry of kept) this.#ready.push(entry);
  }

  protected override drop(): void {
    this.purge();
    // Deliveries may still be settled: nothing comes of it.
    for (const entry of this.#unsettled) this.holds(entry.message, -1);
    this.#unsettled.clear();
  }

  #entryFor(message: Message): QueueEntry {
    const now = this.host.now();
    const timeToLive = Math.min(
      message.timeToLive ?? Number.POSITIVE_INFINITY,
      this.settings.messageTtl ?? Number.POSITIVE_INFINITY,
    );
    return {
      message,
      position: this.#nextPosition++,
      arrivedAt: now,
      expiresAt: timeToLive === Number.POSITIVE_INFINITY ? undefined : now + timeToLive,
      redelivered: this.#rejectionsOf(message) > 0,
      failures: 0,
      returns: 0,
    };
  }

  /** What quorum queues have rejected says so in the next one, until a delivery fails there. */
  #rejectionsOf(message: Message): number {
    return this.type === "quorum" && this.host.profile.tellsRejections ? message.rejections : 0;
  }

  #deliveryCounts(entry: QueueEntry, isFetched: boolean): readonly Field[] {
    const { profile } = this.host;
    const added: Field[] = [];
    const count = entry.failures === 0 ? this.#rejectionsOf(entry.message) : entry.failures;
    if (count > 0 || (isFetched && profile.countsFirstFetch)) added.push(long("x-delivery-count", count));
    if (profile.reportsAcquired && entry.returns > 0) added.push(long("x-acquired-count", entry.returns));
    return added;
  }

  /**
   * A classic queue takes nothing that would make it too long. A quorum queue learns that it is too long when it is, and
   * takes nothing more before it is well below its limit.
   */
  #refuses({ body }: Message): boolean {
    if (this.type === "classic") return this.#exceeds(1, 1, body.length);
    this.#isFull &&= this.#exceeds(takesAgain);
    return this.#isFull;
  }

  /** Whether the queue, with some messages more, is longer than a share of its limits. */
  #exceeds(share: number, more = 0, moreBytes = 0): boolean {
    const { maxLength = Number.POSITIVE_INFINITY, maxLengthBytes = Number.POSITIVE_INFINITY } = this.settings;
    return this.#ready.length + more > maxLength * share || this.#ready.bytes + moreBytes > maxLengthBytes * share;
  }

  #dropExcess(): void {
    if (this.settings.overflow !== "drop-head") return;
    while (this.#exceeds(1)) {
      const entry = this.#ready.take();
      if (entry === undefined) return;
      this.#bury(entry, "maxlen");
    }
  }

  /** Removes what is first in line and expired: a message in the middle waits for its turn, as in RabbitMQ. */
  #expire(): void {
    const now = this.host.now();
    for (let entry = this.#ready.takeExpired(now); entry !== undefined; entry = this.#ready.takeExpired(now)) {
      this.#bury(entry, "expired");
    }
    this.#watchExpiry();
  }

  #watchExpiry(): void {
    const next = this.#ready.nextExpiry();
    if (next === undefined) this.#expiry.off();
    else if (next !== this.#expiry.due) this.#expiry.set(next);
  }

  #bury(entry: QueueEntry, reason: DeathReason): void {
    this.holds(entry.message, -1);
    this.host.bury(this, entry.message, reason);
  }
}

function quorumLanes(profile: Profile): Lanes {
  switch (profile.quorumPriorities) {
    case "none":
      return oneLane;
    case "two":
      return quorumTwoLanes;
    case "strict":
      return quorumStrictLanes;
  }
}
