/**
 * Where the client calls the hooks of an application. Types only: what does the work is made by `instrument`
 * (observer.ts), so that a program without hooks neither carries it nor pays for it. A channel of an
 * observed connection has observed parts in place of the plain ones; the hot paths do not know of hooks.
 */

import type { ChannelEngine } from "../../engine/channel-engine.ts";
import type { ChannelCore } from "../channel-core.ts";
import type { ConnectionEvents } from "../connection-events.ts";
import type { DeliveryHandler } from "../consumer-options.ts";
import type { GotMessage } from "../delivery.ts";
import type { DeliveryQueue } from "../delivery-queue.ts";
import type { EndError } from "../errors.ts";
import type { ConnectAttempt } from "./hooks.ts";
import type { Endpoint, IoServices } from "../io-services.ts";
import type { Link } from "../link.ts";
import type { Report } from "../listeners.ts";
import type { Publishing, PublishingPolicy, PublishWindow } from "../publishing.ts";
import type { Settlement } from "../settlement.ts";
import type { Subscription } from "../subscription.ts";
import type { Transactions } from "../transactions.ts";

/** What `connect()` takes as `instrumentation`. Made by `instrument`; may serve several connections. */
export interface Instrumentation {
  /** Begins to observe a connection. */
  observe(connection: ObservableConnection, name: string | undefined): Observer;
}

/** What is to be seen of a connection from the beginning. */
export interface ObservableConnection {
  readonly io: Pick<IoServices, "now">;
  readonly report: Report;
  /** Where it is connected to, or was last. */
  readonly dialed: { readonly target: { readonly endpoint: Endpoint; readonly virtualHost: string } } | undefined;
}

/** Who looks on at one connection. No method throws for what a hook does. */
export interface Observer {
  connecting(attempt: Omit<ConnectAttempt, "connection">): (error: unknown) => void;
  event<Name extends keyof ConnectionEvents>(name: Name, value: ConnectionEvents[Name]): void;
  channelOpened(core: ChannelCore): void;
  channelClosed(core: ChannelCore, error: EndError | undefined): void;
  /** The publishes of a channel. */
  publishing(core: ChannelCore, window: PublishWindow, policy: PublishingPolicy): Publishing;
  /** The deliveries of a channel. */
  settlement(engine: ChannelEngine, link: Link, offset: number, transactions: Transactions | undefined): Settlement;
  /** The handler of a consumer, with the hooks around it. */
  handler(core: ChannelCore, subscription: Subscription, handler: DeliveryHandler): DeliveryHandler;
  /** The messages of a consumer that is iterated over. */
  queue(core: ChannelCore, subscription: Subscription): DeliveryQueue;
  /** A message of `basic.get`, which was just asked for. */
  getting(core: ChannelCore, queue: string, asked: Promise<GotMessage | undefined>): Promise<GotMessage | undefined>;
}
