/**
 * What two threads say to each other: batches of items, in order. The thread that has the connection is the host, the
 * other one the guest. An item belongs to a lane: lane 0 is the port itself, or a connection that is served whole; every
 * channel, and a pool's flow of deliveries, has a lane of its own.
 */

import type { Millis } from "../engine/config.ts";
import type { Packed } from "./pack.ts";
import type { PackedError, PackedReturn } from "./pack-errors.ts";

/** Raised when the items change: both threads must come from releases that agree. */
export const protocolVersion = 1;

/** The lane of the port itself. */
export const portLane = 0;

/** The lane of the channel that `serveChannel` serves. */
export const channelLane = 1;

/** The lane of the deliveries that a pool hands out. */
export const poolLane = 2;

/** How a delivery is settled. */
export type Verb = "ack" | "nack" | "reject";

/** The last thing that either side says. Not every browser tells that a port was closed. */
type Farewell = { readonly type: "bye"; readonly lane: number };

/** What a guest says. */
export type GuestItem =
  | CallItem
  | Farewell
  | PublishItem
  | SettleItem
  /** Deliveries of a consumer were taken by their handlers: so many more may come. */
  | {
      readonly type: "taken";
      readonly lane: number;
      readonly consumer: number;
      readonly count: number;
      readonly bytes: number;
    }
  /** Whoever made a call has given up waiting. */
  | { readonly type: "abort"; readonly lane: number; readonly id: number; readonly reason: PackedError }
  /** A handler or a listener of the application threw. */
  | { readonly type: "report"; readonly lane: number; readonly error: PackedError }
  /** The handler of a delivery that a pool handed out is done with it. */
  | { readonly type: "done"; readonly lane: number; readonly tag: number };

export interface CallItem {
  readonly type: "call";
  readonly lane: number;
  readonly id: number;
  readonly method: string;
  readonly options: Packed;
  /** Whether an `abort` may follow. */
  readonly abortable: boolean;
}

export interface PublishItem extends BodyItem {
  readonly type: "publish";
  readonly lane: number;
  /** Given when it leaves. */
  id: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly mandatory: boolean;
  /** Encoded; `undefined` for none. */
  readonly properties: Uint8Array | undefined;
  readonly timeout: Millis | undefined;
  readonly abortable: boolean;
}

export interface SettleItem {
  readonly type: "settle";
  readonly lane: number;
  readonly id: number;
  readonly verb: Verb;
  readonly tag: number;
  readonly multiple: boolean;
  readonly requeue: boolean;
}

/** What a host says. */
export type HostItem =
  | { readonly type: "hello"; readonly lane: number; readonly version: number; readonly facts: Packed }
  | { readonly type: "reply"; readonly lane: number; readonly id: number; readonly value: Packed }
  | { readonly type: "failed"; readonly lane: number; readonly id: number; readonly error: PackedError }
  | Farewell
  | DeliverItem
  | GotItem
  | { readonly type: "event"; readonly lane: number; readonly name: string; readonly value: PackedEvent }
  | { readonly type: "consumer-ended"; readonly lane: number; readonly consumer: number; readonly end: PackedEnd }
  /** The channel was lost, and comes back: what was delivered so far is stale. */
  | { readonly type: "lost"; readonly lane: number };

/** The fields of a message. */
export interface MessageFields {
  readonly tag: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  /** The number of the channel that it came on. */
  readonly channel: number;
  readonly noAck: boolean;
  readonly properties: Uint8Array;
}

export interface DeliverItem extends MessageFields, BodyItem {
  readonly type: "deliver";
  readonly lane: number;
  /** The call that started the consumer, which names it on its lane; 0 for a pool's. */
  readonly consumer: number;
  readonly consumerTag: string;
}

/** The answer to a `basicGet` that got something. */
export interface GotItem extends MessageFields, BodyItem {
  readonly type: "got";
  readonly lane: number;
  readonly id: number;
  readonly messageCount: number;
}

/** Events carry a value, an error, or a message that came back. */
export interface PackedEvent {
  readonly value?: Packed;
  readonly error?: PackedError | undefined;
  readonly returned?: PackedReturn | undefined;
}

/** How a consumer ended. */
export interface PackedEnd {
  readonly type: "cancelled" | "cancelled-by-server" | "closed" | "lost" | "not-recovered";
  readonly error?: PackedError | undefined;
}

/**
 * An item with a body. Small bodies of a batch travel in one buffer, one behind the other: then `body` is a length. A
 * large one travels by itself.
 */
export interface BodyItem {
  body: Uint8Array | number;
}

/** Everything that one turn of a loop produced for the other thread. */
export interface Batch<Item> {
  readonly leveret: number;
  readonly items: readonly Item[];
  readonly bodies: Uint8Array | undefined;
}
