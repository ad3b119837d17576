/** A virtual host: its exchanges, queues and bindings, and what the end of one does to the others. */

import { type Fields, heldBytesOf } from "../codec/fields.ts";
import { describe, Refusal } from "../failures.ts";
import type { Message } from "../message.ts";
import type { BrokerLimits } from "../options.ts";
import type { Profile } from "../profile.ts";
import { deadLetter, isCycle } from "../queues/dead-letters.ts";
import { MessageQueue } from "../queues/message-queue.ts";
import type { DeathReason, Queue, QueueDeclaration, QueueHost } from "../queues/queue.ts";
import { StreamQueue } from "../queues/stream-queue.ts";
import { bindingIdentity } from "../routing/binding.ts";
import {
  type Destination,
  Exchange,
  type ExchangeDeclaration,
  predeclaredExchanges,
  type TopologyBinding,
} from "./exchange.ts";
import { route } from "./route.ts";

/** What a virtual host needs of its broker: what its queues need, but for what it does for them itself. */
export type VirtualHostServices = Pick<QueueHost, "timers" | "profile" | "now" | "schedule" | "heldBytes"> & {
  /** Runs a task before the turn ends, not now. */
  defer(task: () => void): void;
  /** How much each virtual host may have. */
  readonly limits: Pick<BrokerLimits, "maxQueues" | "maxExchanges" | "maxBindings" | "maxArgumentBytes">;
};

/** A virtual host of a broker. */
export class VirtualHost {
  readonly name: string;
  /** Whether connections may be opened to it. */
  isUp = true;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #queues = new Map<string, Queue>();
  /** Exclusive queues by their connection. */
  readonly #owned = new Map<object, Set<Queue>>();
  /** Exchanges that are removed just now. */
  readonly #ending: Exchange[] = [];
  #bindingCount = 0;
  /** Of all queues, exchanges and bindings. */
  #argumentBytes = 0;
  readonly #services: VirtualHostServices;
  readonly #host: QueueHost;

  constructor(name: string, services: VirtualHostServices) {
    this.name = name;
    this.#services = services;
    this.#host = {
      timers: services.timers,
      profile: services.profile,
      now: () => services.now(),
      schedule: (queue) => services.schedule(queue),
      heldBytes: (bodies, overhead) => services.heldBytes(bodies, overhead),
      bury: (queue, message, reason) => services.defer(() => this.#bury(queue, message, reason)),
      deleteQueue: (queue) => services.defer(() => void this.deleteQueue(queue)),
    };
    for (const declaration of predeclaredExchanges) this.#addExchange(declaration);
  }

  get exchanges(): ReadonlyMap<string, Exchange> {
    return this.#exchanges;
  }

  get queues(): ReadonlyMap<string, Queue> {
    return this.#queues;
  }

  get profile(): Profile {
    return this.#services.profile;
  }

  /** @throws Refusal NOT_FOUND */
  exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name);
    if (exchange === undefined) throw new Refusal("NOT_FOUND", `no ${describe("exchange", name, this.name)}`);
    return exchange;
  }

  /** @throws Refusal NOT_FOUND */
  queue(name: string): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new Refusal("NOT_FOUND", `no ${describe("queue", name, this.name)}`);
    return queue;
  }

  /**
   * Adds an exchange whose name is free.
   *
   * @throws Refusal PRECONDITION_FAILED when there are too many, or their arguments too large.
   */
  addExchange(declaration: ExchangeDeclaration): Exchange {
    const { maxExchanges } = this.#services.limits;
    const what = describe("exchange", declaration.name, this.name);
    if (this.#exchanges.size >= maxExchanges) {
      throw new Refusal("PRECONDITION_FAILED", `cannot declare ${what}: exchange limit of ${maxExchanges} is reached`);
    }
    this.#keepArguments(declaration.arguments, `cannot declare ${what}`);
    return this.#addExchange(declaration);
  }

  #addExchange(declaration: ExchangeDeclaration): Exchange {
    const exchange = new Exchange(declaration, this.profile);
    this.#exchanges.set(exchange.name, exchange);
    return exchange;
  }

  /**
   * Adds a queue whose name is free.
   *
   * @throws Refusal PRECONDITION_FAILED when there are too many, or their arguments too large.
   */
  addQueue(declaration: Omit<QueueDeclaration, "virtualHost">): Queue {
    const { maxQueues } = this.#services.limits;
    if (this.#queues.size >= maxQueues) {
      const limit = `queue limit in vhost '${this.name}' (${maxQueues})`;
      throw new Refusal("PRECONDITION_FAILED", `cannot declare queue '${declaration.name}': ${limit} is reached`);
    }
    this.#keepArguments(declaration.arguments, `cannot declare ${describe("queue", declaration.name, this.name)}`);
    const whole = { ...declaration, virtualHost: this.name };
    const type = declaration.settings.type;
    const queue = type === "stream" ? new StreamQueue(whole, this.#host) : new MessageQueue(whole, this.#host);
    this.#queues.set(queue.name, queue);
    if (queue.owner !== undefined) {
      const owned = this.#owned.get(queue.owner);
      if (owned === undefined) this.#owned.set(queue.owner, new Set([queue]));
      else owned.add(queue);
    }
    return queue;
  }

  /** Removes an exchange, and the bindings from it and to it; and auto-delete exchanges that have none left then. */
  deleteExchange(exchange: Exchange): void {
    this.#ending.push(exchange);
    if (this.#ending.length > 1) return;
    // One after the other, however long the chain is.
    for (const next of this.#ending) this.#removeExchange(next);
    this.#ending.length = 0;
  }

  #removeExchange(exchange: Exchange): void {
    if (this.#exchanges.get(exchange.name) !== exchange) return;
    this.#exchanges.delete(exchange.name);
    this.#argumentBytes -= heldBytesOf(exchange.arguments);
    for (const [destination, bindings] of exchange.outbound) {
      for (const binding of bindings.values()) {
        destination.inbound.delete(binding);
        this.#argumentBytes -= heldBytesOf(binding.arguments);
      }
      this.#bindingCount -= bindings.size;
    }
    exchange.outbound.clear();
    this.#unbindAll(exchange);
  }

  /** Removes a queue with its messages and bindings; returns how many messages waited. */
  deleteQueue(queue: Queue): number {
    if (this.#queues.get(queue.name) !== queue) return 0;
    const waiting = queue.messageCount;
    this.#queues.delete(queue.name);
    this.#argumentBytes -= heldBytesOf(queue.arguments);
    if (queue.owner !== undefined) this.#owned.get(queue.owner)?.delete(queue);
    this.#unbindAll(queue);
    queue.end();
    return waiting;
  }

  /** Deletes the exclusive queues of a connection that ends. */
  deleteOwnedBy(owner: object): void {
    const owned = this.#owned.get(owner);
    this.#owned.delete(owner);
    for (const queue of owned ?? []) this.deleteQueue(queue);
  }

  /**
   * Adds a binding, unless there is the same one.
   *
   * @throws Refusal PRECONDITION_FAILED when there are too many, or their arguments too large.
   */
  bind(source: Exchange, destination: Destination, routingKey: string, bindingArguments: Fields): void {
    const identity = bindingIdentity(routingKey, bindingArguments);
    let bindings = source.outbound.get(destination);
    if (bindings?.has(identity) === true) return;
    const { maxBindings } = this.#services.limits;
    const what = describe(destination instanceof Exchange ? "exchange" : "queue", destination.name, this.name);
    if (this.#bindingCount >= maxBindings) {
      throw new Refusal("PRECONDITION_FAILED", `cannot bind ${what}: binding limit of ${maxBindings} is reached`);
    }
    this.#keepArguments(bindingArguments, `cannot bind ${what}`);
    if (bindings === undefined) {
      bindings = new Map();
      source.outbound.set(destination, bindings);
    }
    this.#bindingCount += 1;
    const binding: TopologyBinding = { source, destination, routingKey, arguments: bindingArguments };
    bindings.set(identity, binding);
    destination.inbound.add(binding);
    source.table.add(binding);
  }

  /** True when there is that binding. */
  isBound(source: Exchange, destination: Destination, routingKey: string, bindingArguments: Fields): boolean {
    return source.outbound.get(destination)?.has(bindingIdentity(routingKey, bindingArguments)) ?? false;
  }

  /** Removes a binding, if it is there. */
  unbind(source: Exchange, destination: Destination, routingKey: string, bindingArguments: Fields): void {
    const bindings = source.outbound.get(destination);
    const binding = bindings?.get(bindingIdentity(routingKey, bindingArguments));
    if (binding !== undefined) this.#removeBinding(binding);
  }

  /**
   * The queues that a message goes to, each once.
   *
   * @param keys - The routing keys; those of the message itself unless told.
   */
  route(exchange: Exchange, message: Message, keys: readonly string[] = message.routingKeys()): ReadonlySet<Queue> {
    return route({ exchanges: this.#exchanges, queues: this.#queues }, exchange, keys, message);
  }

  /** What a restart does: transient things go, and their bindings with them; or everything does. */
  forget(keepDurable: boolean): void {
    for (const queue of [...this.#queues.values()]) {
      if (keepDurable && queue.durable) queue.loseTransient();
      else this.deleteQueue(queue);
    }
    for (const exchange of [...this.#exchanges.values()]) {
      if (!keepDurable || !exchange.durable) this.deleteExchange(exchange);
    }
  }

  /** Counts arguments that are about to be kept. */
  #keepArguments(kept: Fields, refusal: string): void {
    const { maxArgumentBytes } = this.#services.limits;
    const sum = this.#argumentBytes + heldBytesOf(kept);
    if (sum > maxArgumentBytes) {
      const limit = `argument limit of ${maxArgumentBytes} bytes`;
      throw new Refusal("PRECONDITION_FAILED", `${refusal}: ${limit} is reached`);
    }
    this.#argumentBytes = sum;
  }

  #unbindAll(destination: Destination): void {
    for (const binding of [...destination.inbound]) this.#removeBinding(binding);
  }

  #removeBinding(binding: TopologyBinding): void {
    const { source, destination } = binding;
    source.table.remove(binding);
    destination.inbound.delete(binding);
    this.#bindingCount -= 1;
    this.#argumentBytes -= heldBytesOf(binding.arguments);
    const bindings = source.outbound.get(destination);
    bindings?.delete(bindingIdentity(binding.routingKey, binding.arguments));
    if (bindings?.size === 0) source.outbound.delete(destination);
    // An auto-delete exchange ends with the last binding from it.
    if (source.autoDelete && source.outbound.size === 0) this.deleteExchange(source);
  }

  #bury(queue: Queue, message: Message, reason: DeathReason): void {
    const { deadLetterExchange, deadLetterRoutingKey } = queue.settings;
    if (deadLetterExchange === undefined) return;
    const exchange = this.#exchanges.get(deadLetterExchange);
    if (exchange === undefined) return;
    const grave = { name: queue.name, type: queue.type, deadLetterExchange, deadLetterRoutingKey };
    const letter = deadLetter(message, grave, reason, this.#services.now(), this.profile);
    for (const target of this.route(exchange, letter)) {
      if (!isCycle(letter, reason, target.name)) target.publish(letter);
    }
  }
}
