/**
 * A RabbitMQ in memory, without a socket, a timer or a promise.
 *
 * It is a machine like the engine: time is passed in, bytes go in and out of its connections, and it has one deadline.
 * `BrokerDriver` ties it to a clock and to transports; `listenBroker` puts it on a port.
 */

import { UsageError } from "@leveret/core/wire";
import type { ChannelServices } from "./channel/owner.ts";
import { ReplyTargets } from "./channel/direct-reply.ts";
import { BrokerConnection } from "./connection/connection.ts";
import type { ConnectionHost, PeerOptions } from "./connection/host.ts";
import {
  type BindingSnapshot,
  type ConnectionSnapshot,
  type ExchangeSnapshot,
  type QueueSnapshot,
  snapshotBindings,
  snapshotConnection,
  snapshotExchange,
  snapshotQueue,
} from "./inspection.ts";
import { type Millis, Timers } from "./lib/timers.ts";
import { type BrokerOptions, type BrokerSettings, settingsOf } from "./options.ts";
import { type Profile, profiles } from "./profile.ts";
import { VirtualHost, type VirtualHostServices } from "./topology/virtual-host.ts";
import { Turns } from "./turns.ts";
import { User, type UserOptions } from "./users.ts";

/** How a broker is stopped and started again. */
export interface RestartOptions {
  /**
   * Durable exchanges and queues live on, with their bindings and persistent messages. False: nothing is left but users
   * and virtual hosts. Default true.
   */
  readonly keepDurable?: boolean | undefined;
  /** Connections are told (320, then the end of the stream). False: their transports are dropped. Default true. */
  readonly isGraceful?: boolean | undefined;
}

const memoryAlarm = "low on memory";
/** A short string. */
const longestReason = 255;
const nameAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** 22 characters of 6 bits: RabbitMQ's names have 128 random bits. */
const uniqueLength = 22;

/**
 * The broker.
 *
 * Every call that brings something (bytes, time, an order of a test) may put output on any connection: afterwards ask
 * {@link takeWoken} which connections to look at, and {@link nextDeadline} when to call {@link advance}.
 */
export class Broker {
  readonly settings: BrokerSettings;
  readonly profile: Profile;
  readonly #timers = new Timers();
  readonly #turns = new Turns();
  readonly #users = new Map<string, User>();
  readonly #virtualHosts = new Map<string, VirtualHost>();
  readonly #connections = new Set<BrokerConnection>();
  readonly #host: ConnectionHost;
  readonly #virtualHostServices: VirtualHostServices;
  #woken = new Set<BrokerConnection>();
  #now: Millis = 0;
  #nextConnection = 1;
  #heldBytes = 0;
  /** Bytes that messages take beside their bodies. */
  #overhead = 0;
  #ordered: string | undefined;
  #isAccepting = true;

  /** @throws UsageError INVALID_ARGUMENT for an option that makes no sense. */
  constructor(options: BrokerOptions = {}) {
    this.settings = settingsOf(options);
    this.profile = profiles[this.settings.profileName];
    this.#virtualHostServices = {
      timers: this.#timers,
      profile: this.profile,
      now: () => this.#now,
      schedule: (queue) => this.#turns.schedule(queue),
      defer: (task) => this.#turns.defer(task),
      heldBytes: (bodies, overhead) => this.#countBytes(bodies, overhead),
      limits: this.settings.limits,
    };
    this.#host = this.#createHost();
    for (const [name, user] of Object.entries(this.settings.users)) this.addUser(name, user);
    for (const name of this.settings.virtualHosts) this.addVirtualHost(name);
  }

  // What a driver uses.

  /**
   * A client connects. Its transport is open, and nothing was received yet.
   *
   * @param now - Milliseconds, never backwards. Times that clients see (`x-death`, streams) take it for Unix time.
   */
  connect(now: Millis, peer: PeerOptions = {}): BrokerConnection {
    this.#now = Math.max(this.#now, now);
    const connection = new BrokerConnection(this.#nextConnection++, peer, this.#host);
    this.#connections.add(connection);
    if (!this.#isAccepting) connection.drop();
    return connection;
  }

  /** The connections that have output, or whose transport needs an order, since the last call. */
  takeWoken(): Iterable<BrokerConnection> {
    const woken = this.#woken;
    if (woken.size > 0) this.#woken = new Set();
    return woken;
  }

  /** When to call {@link advance}; `undefined` while nothing is due ever. */
  nextDeadline(): Millis | undefined {
    return this.#timers.next();
  }

  /** Handles every deadline that is due: expiries, heartbeats, confirms that wait, closes without an answer. */
  advance(now: Millis): void {
    this.#turn(now, () => this.#timers.advance(this.#now));
  }

  /** The clock as the broker has it. */
  get now(): Millis {
    return this.#now;
  }

  // What tests use.

  /** The connections that hold anything, oldest first. */
  get connections(): readonly BrokerConnection[] {
    return [...this.#connections];
  }

  /** Bytes of message bodies in all queues, and in transactions that are not committed. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Why publishers are stopped; `undefined` while they are not. */
  get alarm(): string | undefined {
    const { memoryHighWater, overheadHighWater } = this.settings.limits;
    const isLow = this.#heldBytes > memoryHighWater || this.#overhead > overheadHighWater;
    return this.#ordered ?? (isLow ? memoryAlarm : undefined);
  }

  /** Adds a user, or gives one another password and other permissions. Connections that are open keep what they have. */
  addUser(name: string, options: UserOptions): void {
    this.#users.set(name, new User(name, options));
  }

  /** Removes a user, and ends the connections that it has. */
  deleteUser(name: string): void {
    this.#users.delete(name);
    for (const connection of this.connections) {
      if (connection.userName !== name) continue;
      connection.close({ replyCode: 320, replyText: `CONNECTION_FORCED - user '${name}' was deleted` });
    }
  }

  /** Adds a virtual host, unless it is there. */
  addVirtualHost(name: string): void {
    if (!this.#virtualHosts.has(name)) this.#virtualHosts.set(name, new VirtualHost(name, this.#virtualHostServices));
  }

  /** Deletes a virtual host with everything in it, and ends the connections to it. */
  deleteVirtualHost(name: string): void {
    const virtualHost = this.#virtualHosts.get(name);
    this.#virtualHosts.delete(name);
    for (const connection of this.connections) {
      if (connection.virtualHostName !== name) continue;
      connection.close({ replyCode: 320, replyText: `CONNECTION_FORCED - vhost '${name}' is deleted` });
    }
    // Its messages do not count any more, and nothing in it expires.
    this.#turn(this.#now, () => virtualHost?.forget(false));
  }

  /** Stops a virtual host: the connections to it end, and others are refused until {@link startVirtualHost}. */
  stopVirtualHost(name: string): void {
    const virtualHost = this.#virtualHosts.get(name);
    if (virtualHost === undefined) return;
    virtualHost.isUp = false;
    for (const connection of this.connections) {
      if (connection.virtualHostName !== name) continue;
      connection.close({ replyCode: 320, replyText: `CONNECTION_FORCED - vhost '${name}' is down` });
    }
    // Only now that what clients had is back: it is lost as well, where it is transient.
    this.#turn(this.#now, () => virtualHost.forget(true));
  }

  /** Starts a virtual host again, with what is durable in it. */
  startVirtualHost(name: string): void {
    const virtualHost = this.#virtualHosts.get(name);
    if (virtualHost !== undefined) virtualHost.isUp = true;
  }

  /**
   * Sets an alarm: whoever publishes from now on is blocked until {@link unblock}.
   *
   * @throws UsageError INVALID_ARGUMENT for a reason of more than 255 bytes.
   */
  block(reason: string = memoryAlarm): void {
    if (new TextEncoder().encode(reason).length > longestReason) {
      throw new UsageError("INVALID_ARGUMENT", `reason has at most ${longestReason} bytes`);
    }
    this.#ordered = reason;
  }

  /** Clears the alarm of {@link block}. While too much memory is held, publishers stay blocked. */
  unblock(): void {
    this.#ordered = undefined;
    this.#turn(this.#now, () => this.#alarmCleared());
  }

  /** Whether new connections are let in; the transports of others are dropped as they come. */
  setAccepting(isAccepting: boolean): void {
    this.#isAccepting = isAccepting;
  }

  /** Ends every connection, as an operator does: 320 with these words, and the answer is awaited. */
  closeConnections(explanation: string): void {
    for (const connection of this.connections) {
      connection.close({ replyCode: 320, replyText: `CONNECTION_FORCED - ${explanation}` });
    }
  }

  /** Stops and starts the broker. */
  restart({ keepDurable = true, isGraceful = true }: RestartOptions = {}): void {
    this.#turn(this.#now, () => {
      for (const connection of this.connections) {
        if (isGraceful) connection.shutDown("broker forced connection closure with reason 'shutdown'");
        else connection.drop();
      }
      this.#turns.settle();
      for (const [name, virtualHost] of this.#virtualHosts) {
        virtualHost.forget(keepDurable);
        if (!keepDurable) this.#virtualHosts.set(name, new VirtualHost(name, this.#virtualHostServices));
      }
    });
  }

  /** Deletes a queue as an operator does: its consumers are told. False when there is none. */
  deleteQueue(name: string, virtualHost = "/"): boolean {
    const host = this.#virtualHosts.get(virtualHost);
    const queue = host?.queues.get(name);
    if (host === undefined || queue === undefined) return false;
    this.#turn(this.#now, () => void host.deleteQueue(queue));
    return true;
  }

  /** A queue as it is now; `undefined` when there is none. */
  queue(name: string, virtualHost = "/"): QueueSnapshot | undefined {
    const queue = this.#virtualHosts.get(virtualHost)?.queues.get(name);
    return queue === undefined ? undefined : snapshotQueue(queue);
  }

  /** All queues as they are now. */
  queues(virtualHost = "/"): readonly QueueSnapshot[] {
    return [...(this.#virtualHosts.get(virtualHost)?.queues.values() ?? [])].map(snapshotQueue);
  }

  /** All exchanges as they are now, the predeclared ones included. */
  exchanges(virtualHost = "/"): readonly ExchangeSnapshot[] {
    return [...(this.#virtualHosts.get(virtualHost)?.exchanges.values() ?? [])].map(snapshotExchange);
  }

  /** All bindings as they are now, those of the default exchange aside. */
  bindings(virtualHost = "/"): readonly BindingSnapshot[] {
    return [...(this.#virtualHosts.get(virtualHost)?.exchanges.values() ?? [])].flatMap(snapshotBindings);
  }

  /** All connections as they are now. */
  connectionSnapshots(): readonly ConnectionSnapshot[] {
    return this.connections.map(snapshotConnection);
  }

  #turn(now: Millis, task: () => void): void {
    this.#now = Math.max(this.#now, now);
    this.#turns.run(task);
  }

  #createHost(): ConnectionHost {
    return {
      settings: this.settings,
      profile: this.profile,
      users: this.#users,
      virtualHosts: this.#virtualHosts,
      services: this.#createServices(),
      alarm: () => this.alarm,
      isFull: () => this.#connections.size > this.settings.limits.maxConnections,
      turn: (now, task) => this.#turn(now, task),
      settle: () => this.#turns.settle(),
      wake: (connection) => this.#woken.add(connection),
      ended: (connection) => this.#connections.delete(connection),
    };
  }

  #createServices(): ChannelServices {
    return {
      timers: this.#timers,
      confirms: this.settings.confirms,
      maxMessageSize: this.settings.limits.maxMessageSize,
      consumerTimeout: this.settings.limits.consumerTimeout,
      replies: new ReplyTargets(),
      heldBytes: (bodies, overhead) => this.#countBytes(bodies, overhead),
      now: () => this.#now,
      random: this.settings.random,
      uniqueName: (prefix) => prefix + this.#randomWord(),
      atEndOfTurn: (channel) => this.#turns.atEnd(channel),
    };
  }

  #randomWord(): string {
    let word = "";
    for (let index = 0; index < uniqueLength; index += 1) {
      word += nameAlphabet[Math.floor(this.settings.random() * nameAlphabet.length)];
    }
    return word;
  }

  #countBytes(bodies: number, overhead: number): void {
    const before = this.alarm;
    this.#heldBytes += bodies;
    this.#overhead += overhead;
    if (before !== undefined && this.alarm === undefined) this.#turns.defer(() => this.#alarmCleared());
  }

  #alarmCleared(): void {
    if (this.alarm !== undefined) return;
    for (const connection of this.connections) connection.alarmCleared();
  }
}
