/** What all queues have in common: a name, an owner, bindings, consumers, and an end. */

import type { Fields } from "../codec/fields.ts";
import type { EncodedProperties } from "@leveret/core/wire";
import { Refusal, describe } from "../failures.ts";
import type { Millis, Timer, Timers } from "../lib/timers.ts";
import type { Message } from "../message.ts";
import type { Profile } from "../profile.ts";
import type { TopologyBinding } from "../topology/exchange.ts";
import type { QueueSettings, QueueType } from "../topology/queue-arguments.ts";
import { overheadOf, type QueueEntry } from "./entry.ts";
import { type QueueConsumer, QueueConsumers } from "./queue-consumers.ts";

/** Why a message is dead-lettered. */
export type DeathReason = "rejected" | "expired" | "maxlen" | "delivery_limit";

/** What queues need of their broker. */
export interface QueueHost {
  readonly timers: Timers;
  readonly profile: Profile;
  now(): Millis;
  /** Asks for {@link Queue.pump} before the turn ends. */
  schedule(queue: Queue): void;
  /** Sends a message on to the dead letter exchange of a queue, or drops it where there is none. */
  bury(queue: Queue, message: Message, reason: DeathReason): void;
  /** Removes a queue that has served its time. */
  deleteQueue(queue: Queue): void;
  /** Counts what is held in memory: bodies, and all that comes with them. */
  heldBytes(bodies: number, overhead: number): void;
}

/** What a declaration says about a queue. */
export interface QueueDeclaration {
  readonly name: string;
  readonly virtualHost: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** Who may use it, and with whom it ends; `undefined` for everybody. */
  readonly owner: object | undefined;
  readonly arguments: Fields;
  readonly settings: QueueSettings;
}

/** How a client settles a delivery, other than with an ack. */
export type Return =
  /** Back in line, and the delivery counts as failed. */
  | "rejected"
  /** Back in line. */
  | "returned"
  /** The same, by a channel or a consumer that has ended. */
  | "abandoned";

/** A queue. What it does with messages is its subclass's business. */
export abstract class Queue {
  readonly kind = "queue";
  readonly name: string;
  readonly virtualHost: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly owner: object | undefined;
  readonly arguments: Fields;
  readonly settings: QueueSettings;
  /** The bindings that lead here. */
  readonly inbound: Set<TopologyBinding> = new Set();
  protected readonly host: QueueHost;
  protected readonly consumers: QueueConsumers;
  readonly #idle: Timer;
  #deleted = false;
  /** Consumers that are gone, and may not have settled everything. */
  #cancelled: readonly QueueConsumer[] = [];

  constructor(declaration: QueueDeclaration, host: QueueHost) {
    this.name = declaration.name;
    this.virtualHost = declaration.virtualHost;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.owner = declaration.owner;
    this.arguments = declaration.arguments;
    this.settings = declaration.settings;
    this.host = host;
    const { type, singleActiveConsumer } = declaration.settings;
    this.consumers = new QueueConsumers(singleActiveConsumer, type === "quorum" && host.profile.activeGivesWay);
    this.#idle = host.timers.create(() => host.deleteQueue(this));
    this.touch();
  }

  get type(): QueueType {
    return this.settings.type;
  }

  get isDeleted(): boolean {
    return this.#deleted;
  }

  /**
   * As replies tell it. A quorum queue does not count those that wait behind a single active one, but does count those
   * that were cancelled and have not settled everything, and each fetched message that is not settled as one.
   */
  get consumerCount(): number {
    const { size } = this.consumers;
    if (this.type !== "quorum") return size;
    const indebted = this.#indebted();
    const delivered = [...this.consumers, ...indebted].reduce((sum, { unsettled }) => sum + unsettled, 0);
    const fetched = this.unsettledCount - delivered;
    return (this.settings.singleActiveConsumer ? Math.min(1, size) : size) + indebted.length + fetched;
  }

  #indebted(): readonly QueueConsumer[] {
    this.#cancelled = this.#cancelled.filter(({ unsettled }) => unsettled > 0);
    return this.#cancelled;
  }

  /** The messages that wait for a consumer. */
  abstract get messageCount(): number;
  /** The messages that were delivered and not settled. */
  abstract get unsettledCount(): number;
  /** In the order in which they leave. */
  abstract messages(): Iterable<QueueEntry>;
  /** Takes a message; false: refused, because the queue is full. */
  abstract publish(message: Message): boolean;
  /** Takes the next message out, for `basic.get`. */
  abstract get(): QueueEntry | undefined;
  /** An entry was delivered to somebody who will settle it. */
  abstract delivered(entry: QueueEntry): void;
  /** An entry was delivered to somebody who settles nothing. */
  abstract consumed(entry: QueueEntry): void;
  abstract acknowledge(entry: QueueEntry): void;
  abstract putBack(entry: QueueEntry, how: Return): void;
  /** An entry that nobody wants. */
  abstract discard(entry: QueueEntry): void;
  /** Drops the waiting messages, and says how many there were. */
  abstract purge(): number;
  /** Gives consumers what they take. */
  abstract pump(): void;
  /** Drops what a restart of the broker loses. */
  abstract loseTransient(): void;
  /** The properties with which an entry leaves: to a consumer, or fetched by `basic.get`. */
  abstract propertiesOf(entry: QueueEntry, isFetched: boolean): EncodedProperties;
  protected abstract drop(): void;

  /** Resets the clock of `x-expires`. */
  touch(): void {
    const { expires } = this.settings;
    if (expires === undefined) return;
    if (this.consumers.size > 0) this.#idle.off();
    else this.#idle.set(this.host.now() + expires);
  }

  /** @throws Refusal RESOURCE_LOCKED when the queue belongs to somebody else. */
  checkAccess(client: object): void {
    if (this.owner !== undefined && this.owner !== client) throw this.locked();
  }

  locked(): Refusal {
    return new Refusal(
      "RESOURCE_LOCKED",
      `cannot obtain exclusive access to locked ${describe("queue", this.name, this.virtualHost)}. It could be ` +
        "originally declared on another connection or the exclusive property value does not match that of the " +
        "original declaration.",
    );
  }

  /** @throws Refusal ACCESS_REFUSED when a consumer has the queue to itself, or this one wants to and cannot. */
  addConsumer(consumer: QueueConsumer): void {
    const taken = this.consumers.hasExclusive || (consumer.exclusive && this.consumers.size > 0);
    if (taken || (consumer.exclusive && this.settings.singleActiveConsumer)) {
      throw new Refusal("ACCESS_REFUSED", `${describe("queue", this.name, this.virtualHost)} in exclusive use`);
    }
    this.consumers.add(consumer);
    this.touch();
    this.host.schedule(this);
  }

  removeConsumer(consumer: QueueConsumer): void {
    if (!this.consumers.remove(consumer)) return;
    if (this.type === "quorum") this.#cancelled = [...this.#indebted(), consumer];
    this.touch();
    if (this.autoDelete && this.consumers.size === 0) this.host.deleteQueue(this);
    // A single active consumer may have a successor.
    else this.host.schedule(this);
  }

  /** A consumer takes again. */
  creditFor(consumer: QueueConsumer): void {
    if (this.#deleted) return;
    this.consumers.unpark(consumer);
    this.host.schedule(this);
  }

  /** A message is kept, or let go of. */
  protected holds(message: Message, sign: 1 | -1): void {
    this.host.heldBytes(sign * message.body.length, sign * overheadOf(message));
  }

  /** Ends the queue: its messages are dropped, its consumers told. */
  end(): void {
    this.#deleted = true;
    this.#idle.off();
    this.drop();
    const consumers = [...this.consumers];
    for (const consumer of consumers) this.consumers.remove(consumer);
    for (const consumer of consumers) consumer.cancelledByServer();
  }

  /** Everybody who consumes from here. */
  consumerList(): readonly QueueConsumer[] {
    return [...this.consumers];
  }

  get activeConsumer(): QueueConsumer | undefined {
    return this.consumers.active;
  }
}
