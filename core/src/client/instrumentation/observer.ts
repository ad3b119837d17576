/** Calls the hooks of an application, and keeps what they do wrong from everybody else. */

import type { ChannelEngine } from "../../engine/channel-engine.ts";
import type { Millis } from "../../engine/config.ts";
import { UsageError } from "../../wire/errors.ts";
import type { ChannelCore } from "../channel-core.ts";
import type { ConnectionEvents } from "../connection-events.ts";
import type { DeliveryHandler } from "../consumer-options.ts";
import type { ConsumerDelivery, Delivery, GotMessage } from "../delivery.ts";
import type { DeliveryQueue } from "../delivery-queue.ts";
import type { EndError } from "../errors.ts";
import type { Instrumentation, ObservableConnection, Observer } from "./instrumentation.ts";
import type {
  ConnectAttempt,
  Hooks,
  ObservedConnection,
  ObservedEvent,
  OutgoingMessage,
  Reception,
  Settled,
} from "./hooks.ts";
import { ObservedPublishing } from "./observed-publishing.ts";
import { ObservedQueue } from "./observed-queue.ts";
import { ObservedSettlement } from "./observed-settlement.ts";
import { isThenable } from "../futures.ts";
import type { Link } from "../link.ts";
import { contain, dropped, type Report } from "../listeners.ts";
import { Publishing, type PublishingPolicy, type PublishWindow } from "../publishing.ts";
import { Settlement } from "../settlement.ts";
import type { Subscription } from "../subscription.ts";
import type { Transactions } from "../transactions.ts";

/**
 * Makes of hooks what `connect()` takes as `instrumentation`. It may serve any number of connections.
 *
 * ```ts
 * await connect({ instrumentation: instrument(logTo(console), { settle: ({ action }) => count(action) }) });
 * ```
 *
 * @throws UsageError INVALID_ARGUMENT when a hook is not a function.
 */
export function instrument(...hooks: readonly Hooks[]): Instrumentation {
  for (const one of hooks) checkHooks(one);
  return {
    observe: (connection, name) =>
      new HookObserver(hooks, factsOf(connection, name), connection.report, () => connection.io.now()),
  };
}

/** What hooks are told of a connection. */
function factsOf(connection: ObservableConnection, name: string | undefined): ObservedConnection {
  return {
    name,
    get endpoint() {
      return connection.dialed?.target.endpoint;
    },
    get virtualHost() {
      return connection.dialed?.target.virtualHost;
    },
  };
}

const hookNames: Readonly<Record<keyof Hooks, true>> = {
  publish: true,
  deliver: true,
  receive: true,
  missed: true,
  settle: true,
  connect: true,
  connection: true,
  channel: true,
};

function checkHooks(hooks: unknown): void {
  if (typeof hooks !== "object" || hooks === null) {
    throw new UsageError("INVALID_ARGUMENT", "instrument takes objects whose functions are hooks");
  }
  for (const name of Object.keys(hookNames)) {
    const hook: unknown = (hooks as Record<string, unknown>)[name];
    if (hook !== undefined && typeof hook !== "function") {
      throw new UsageError("INVALID_ARGUMENT", `The hook ${name} is a function, not ${typeof hook}`);
    }
  }
}

type End<E> = (error: E) => void;

class HookObserver implements Observer {
  readonly #hooks: readonly Hooks[];
  readonly #connection: ObservedConnection;
  readonly #report: Report;
  readonly #now: () => Millis;

  constructor(hooks: readonly Hooks[], connection: ObservedConnection, report: Report, now: () => Millis) {
    this.#hooks = hooks;
    this.#connection = connection;
    this.#report = report;
    this.#now = now;
  }

  // The connection and its channels

  connecting(attempt: Omit<ConnectAttempt, "connection">): End<unknown> {
    return this.#begin((hooks) => hooks.connect?.({ ...attempt, connection: this.#connection }));
  }

  event<Name extends keyof ConnectionEvents>(name: Name, value: ConnectionEvents[Name]): void {
    const event = { ...value, type: name } as ObservedEvent;
    const report = name === "callback-error" ? dropped : this.#report;
    this.#each((hooks) => hooks.connection?.(event, this.#connection), report);
  }

  channelOpened({ number }: ChannelCore): void {
    this.#each((hooks) => hooks.channel?.({ type: "open", channel: number }, this.#connection));
  }

  channelClosed({ number }: ChannelCore, error: EndError | undefined): void {
    this.#each((hooks) => hooks.channel?.({ type: "closed", channel: number, error }, this.#connection));
  }

  // Messages out

  publishing(core: ChannelCore, window: PublishWindow, policy: PublishingPolicy): Publishing {
    if (!this.#has("publish")) return new Publishing(core, window, policy);
    return new ObservedPublishing(core, window, policy, (message) => this.#publish(core, message));
  }

  #publish(core: ChannelCore, message: Omit<OutgoingMessage, "connection" | "channel">): End<unknown> {
    const outgoing: OutgoingMessage = { ...message, connection: this.#connection, channel: core.number };
    return this.#begin((hooks) => hooks.publish?.(outgoing));
  }

  // Messages in

  settlement(engine: ChannelEngine, link: Link, offset: number, transactions: Transactions | undefined): Settlement {
    if (!this.#has("settle")) return new Settlement(engine, link, offset, transactions);
    const settled = (one: Settled): void => this.#each((hooks) => hooks.settle?.(one));
    return new ObservedSettlement(engine, link, offset, transactions, settled);
  }

  handler(core: ChannelCore, subscription: Subscription, handler: DeliveryHandler): DeliveryHandler {
    const reception = this.#reception(core, subscription.info.consumerTag, () => subscription.queue);
    if (!this.#has("deliver") && !this.#has("settle")) return handler;
    const around = this.#hooks.filter((hooks) => hooks.deliver !== undefined).reverse();
    return (delivery) => {
      remember(core, delivery, reception);
      let run: () => unknown = () => handler(delivery);
      for (const hooks of around) run = this.#around(hooks, delivery, reception, run);
      return run();
    };
  }

  /** The handler, run by a hook: once, and with its own result, whatever the hook does. */
  #around(hooks: Hooks, delivery: ConsumerDelivery, reception: Reception, run: () => unknown): () => unknown {
    return () => {
      let result: { readonly value: unknown } | undefined;
      /** What the handler failed with, at once or later. A hook may hand it on, and has not failed then. */
      let failure: { readonly error: unknown } | undefined;
      const failed = (error: unknown): void => {
        failure = { error };
      };
      const once = (): unknown => {
        if (result === undefined && failure === undefined) {
          try {
            const value = run();
            result = { value };
            if (isThenable(value)) value.then(undefined, failed);
          } catch (error) {
            failed(error);
          }
        }
        if (result === undefined) throw failure?.error;
        return result.value;
      };
      contain(
        () => hooks.deliver?.(delivery, reception, once),
        (error) => {
          if (failure === undefined || failure.error !== error) this.#report(error);
        },
      );
      return once();
    };
  }

  queue(core: ChannelCore, subscription: Subscription): DeliveryQueue {
    const reception = this.#reception(core, subscription.info.consumerTag, () => subscription.queue);
    return new ObservedQueue(subscription, core.host.deadlines, this.#now, {
      taken: (delivery, waited) => this.#received(core, delivery, reception, waited),
      missed: (waited, error) => this.#missed(reception, waited, error),
    });
  }

  async getting(
    core: ChannelCore,
    queue: string,
    asked: Promise<GotMessage | undefined>,
  ): Promise<GotMessage | undefined> {
    const since = this.#now();
    const reception = this.#reception(core, undefined, () => core.memory.queueOf(queue));
    try {
      const message = await asked;
      const waited = this.#now() - since;
      if (message === undefined) this.#missed(reception, waited, undefined);
      else this.#received(core, message, reception, waited);
      return message;
    } catch (error) {
      this.#missed(reception, this.#now() - since, error);
      throw error;
    }
  }

  #received(core: ChannelCore, delivery: Delivery, reception: Reception, waited: Millis): void {
    remember(core, delivery, reception);
    this.#each((hooks) => hooks.receive?.(delivery, reception, waited));
  }

  #missed({ connection, channel, queue, consumerTag }: Reception, waited: Millis, error: unknown): void {
    this.#each((hooks) => hooks.missed?.({ connection, channel, queue, consumerTag, waited, error }));
  }

  #reception({ number }: ChannelCore, consumerTag: string | undefined, queue: () => string): Reception {
    return {
      connection: this.#connection,
      channel: number,
      consumerTag,
      // It may be known later than the consumer's tag, and the server may give it another name.
      get queue() {
        return queue();
      },
    };
  }

  // Hooks

  #has(name: keyof Hooks): boolean {
    return this.#hooks.some((hooks) => hooks[name] !== undefined);
  }

  #each(call: (hooks: Hooks) => unknown, report = this.#report): void {
    for (const hooks of this.#hooks) contain(() => call(hooks), report);
  }

  /** Calls the hooks at a beginning; the returned function calls what they returned, once. */
  #begin<E>(call: (hooks: Hooks) => End<E> | undefined): End<E> {
    const ends: End<E>[] = [];
    this.#each((hooks) => {
      const end: unknown = call(hooks);
      if (typeof end === "function") ends.push(end as End<E>);
    });
    return (error) => {
      for (const end of ends.splice(0)) contain(() => end(error), this.#report);
    };
  }
}

/** Whoever settles the delivery later names it by its tag only. */
function remember(core: ChannelCore, delivery: Delivery, reception: Reception): void {
  const { settlement } = core;
  if (delivery.outstanding && settlement instanceof ObservedSettlement) settlement.remember(delivery, reception);
}
