/** One connection of a simulated application, from the dial to the end, and what it has open on it. */

import { type Connection, TransactionError, UsageError } from "@leveret/core/client";
import type { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import type { Millis, World } from "../world.ts";
import type { Exchanges } from "../exchanges.ts";
import type { Queues } from "../queues.ts";
import type { ChannelUser } from "./channel-user.ts";
import type { DeliveryLog } from "./delivery-log.ts";
import type { ConsumerUser } from "./consumer-user.ts";
import type { Keepers } from "./keepers.ts";
import type { MessageBook } from "./message-book.ts";
import { type Circumstances, OnPurpose, Promises, type WatchOptions, wasOrdered } from "./promises.ts";
import type { PublisherUser } from "./publisher-user.ts";
import { SessionIo, type SimulatedIo } from "./simulated-io.ts";

/** What all applications of a run share. */
export interface Surroundings {
  readonly world: World;
  readonly queues: Queues;
  readonly exchanges: Exchanges;
  readonly keepers: Keepers;
  readonly book: MessageBook;
  readonly promises: Promises;
  /** Numbers the publishing channels, for the ledger. */
  readonly nextPublisher: () => number;
  /**
   * Whether a publisher's messages keep their order. With recovery only those of one connection do: what the broker has
   * not read of the last one may come after what was sent on the next.
   */
  readonly keepsOrder: boolean;
  /** Whether connections recover. */
  readonly recovers: boolean;
  /** Whether the broker reads from no publisher. */
  readonly isBlocked: () => boolean;
}

const abortShare = 0.12;
const timeoutShare = 0.12;
const shortPatience: Millis = 60;
const longestPatience: Millis = 3_000;

export class Session implements Circumstances {
  readonly surroundings: Surroundings;
  readonly random: Random;
  readonly io: SimulatedIo;
  /** What its connection is given. */
  readonly connectionIo: SessionIo;
  /** Which application's: it declares the queues of that number. */
  readonly owner: number;
  disturbed = false;
  poisoned = false;
  connection: Connection | undefined;
  #ended = false;
  /** Something could not be settled for want of room. */
  wasLate = false;
  readonly channels: Set<ChannelUser> = new Set();
  readonly publishers: Set<PublisherUser> = new Set();
  readonly consumers: Set<ConsumerUser> = new Set();
  /** What was delivered, one for each channel that had deliveries. */
  readonly logs: Set<DeliveryLog> = new Set();
  /** The numbers of channels that the simulation had the broker close. */
  readonly closedChannels: Set<number> = new Set();
  readonly #controllers = new Set<AbortController>();

  constructor(surroundings: Surroundings, owner: number, random: Random, io: SimulatedIo) {
    this.surroundings = surroundings;
    this.owner = owner;
    this.random = random;
    this.io = io;
    this.connectionIo = new SessionIo(io, surroundings.promises);
  }

  /** The connection is open: takes it, and listens to it. */
  opened(connection: Connection): void {
    const { promises } = this.surroundings;
    this.connection = connection;
    let closings = 0;
    connection.on("closed", () =>
      promises.guard(() => {
        closings += 1;
        invariant(closings === 1, "an end is told once", () => `${closings} times`);
      }),
    );
    connection.on("callback-error", ({ error }) => {
      // A message cannot be refused when too much output waits: it goes back with its channel.
      const isLate = error instanceof UsageError && error.code === "LIMIT_REACHED";
      if (isLate) this.wasLate = true;
      // What a handler's end would settle belongs to a transaction that was lost, and that nobody has rolled back yet.
      const isAborted = error instanceof TransactionError && error.code === "TRANSACTION_ABORTED";
      if (!(error instanceof OnPurpose) && !isLate && !isAborted) promises.keep(error);
    });
    connection.on("recovered", ({ failures }) => {
      // The channel on which things are brought back may be one that the simulation closes.
      if (failures.some(({ error }) => wasOrdered(error))) this.surroundings.keepers.failed(this);
    });
    // Listeners may throw: it hurts nobody.
    connection.on("blocked", () => {
      throw new OnPurpose();
    });
    this.watch("connection.closed", connection.closed, {
      kind: "life",
      done: (error) => {
        if (error === undefined || this.poisoned) return;
        invariant(this.disturbed, "a connection lives until something happens to it", () => String(error));
      },
    });
  }

  /** Nothing is left of it. */
  get ended(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
    this.connectionIo.isOver = true;
  }

  /** Whether the application does anything on it: also while it recovers. */
  get active(): boolean {
    const { connection } = this;
    if (connection === undefined || this.poisoned) return false;
    return connection.state !== "closing" && connection.state !== "closed";
  }

  watch<T>(name: string, promise: Promise<T>, options?: WatchOptions<T>): void {
    this.surroundings.promises.watch(name, promise, this, options);
  }

  /** A signal for a call: mostly none; else one that aborts at some time, or has already. */
  signal(): AbortSignal | undefined {
    if (!this.random.chance(abortShare)) return undefined;
    const controller = new AbortController();
    this.#controllers.add(controller);
    if (this.random.chance(0.1)) controller.abort(new OnPurpose());
    else this.#abortLater(controller);
    return controller.signal;
  }

  /** A timeout for a call: mostly none. */
  timeout(): Millis | undefined {
    return this.random.chance(timeoutShare) ? this.random.int(0, longestPatience) : undefined;
  }

  /** Aborts one of the signals that were given out. */
  abortOne(): void {
    this.random.pick([...this.#controllers])?.abort(new OnPurpose());
  }

  /** Nothing is believed of what was said on this connection from now on. */
  get believes(): boolean {
    return !this.poisoned;
  }

  /** Closes the connection. What it took with it is told through its promises. */
  close(): void {
    if (this.connection !== undefined) this.watch("connection.close", this.connection.close(), { kind: "life" });
  }

  /** Lets everything go on that was paused. */
  resume(): void {
    for (const consumer of this.consumers) consumer.resume();
  }

  /** At rest: the broker has a consumer for each of ours, and no other; and it waits for what is outstanding. */
  checkAtRest(): void {
    const broker = this.io.latest?.brokerConnection;
    if (!this.active || this.connection?.state !== "open" || broker === undefined || broker.isFrozen) return;
    const ours = [...this.consumers].filter(({ isConsuming }) => isConsuming).length;
    const theirs = new Map([...broker.channels].flatMap(({ consumers }) => [...consumers]));
    invariant(
      ours === theirs.size,
      "both sides agree on the consumers",
      () => `${ours} of ours, ${theirs.size} of the broker's`,
    );
    for (const log of this.logs) log.checkAtRest();
    for (const consumer of this.consumers) consumer.checkAtRest(theirs);
    // What a transaction holds is neither here nor there.
    let waiting = 0;
    for (const { mode, unsettled } of broker.channels) if (mode.kind !== "transaction") waiting += unsettled.size;
    let outstanding = 0;
    for (const log of this.logs) if (!log.inTransactions) outstanding += log.outstanding;
    invariant(
      waiting <= outstanding,
      "the broker waits for no acknowledgement that nobody owes",
      () => `${waiting} deliveries, ${outstanding} are owed`,
    );
  }

  /** Forgets what is over, and checks what is open. To be called after every step. */
  check(): void {
    for (const channel of this.channels) if (channel.isOver) this.channels.delete(channel);
    for (const publisher of this.publishers) {
      publisher.check();
      if (publisher.isOver) this.publishers.delete(publisher);
    }
    for (const consumer of this.consumers) {
      consumer.check();
      if (consumer.isOver) this.consumers.delete(consumer);
    }
  }

  #abortLater(controller: AbortController): void {
    // Often within the time that an answer takes.
    const patience = this.random.int(0, this.random.pick([shortPatience, longestPatience] as const));
    this.surroundings.world.after(patience, () => {
      this.#controllers.delete(controller);
      controller.abort(new OnPurpose());
    });
  }
}
