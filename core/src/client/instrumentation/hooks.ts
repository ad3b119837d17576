/** What an application can look on at, and take part in: functions that the client calls as things happen. */

import type { Millis } from "../../engine/config.ts";
import type { FieldValue } from "../../wire/field-values.ts";
import type { BasicProperties } from "../../wire/properties.ts";
import type { ConnectionEvents } from "../connection-events.ts";
import type { ConsumerDelivery, Delivery } from "../delivery.ts";
import type { EndError } from "../errors.ts";
import type { Endpoint } from "../io-services.ts";

/** Which connection something happens on. Its fields change when the connection moves to another server. */
export interface ObservedConnection {
  /** The option `connectionName`. */
  readonly name: string | undefined;
  /** Where it is connected to, or was last; `undefined` before the first connection. It may hold secrets of TLS. */
  readonly endpoint: Endpoint | undefined;
  readonly virtualHost: string | undefined;
}

/** A message that is about to be published. */
export interface OutgoingMessage {
  readonly connection: ObservedConnection;
  readonly channel: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly mandatory: boolean;
  /** Whether the server confirms it. */
  readonly confirms: boolean;
  /** The properties, less the headers. */
  readonly properties: Omit<BasicProperties, "headers">;
  /** The headers, as they will be sent. A copy: what is added, changed or deleted here counts for this message only. */
  readonly headers: Record<string, FieldValue | undefined>;
  readonly body: Uint8Array;
}

/** Where a message was received. */
export interface Reception {
  readonly connection: ObservedConnection;
  readonly channel: number;
  /** The queue, as far as it is known by name. */
  readonly queue: string;
  /** Absent for a message of `basic.get`. */
  readonly consumerTag: string | undefined;
}

/** A message that was asked for, and did not come. */
export interface Missed extends Reception {
  /** How long it was waited for. */
  readonly waited: Millis;
  /** Why it failed; `undefined` where the queue was empty, or no message came in time. */
  readonly error: unknown;
}

/** A delivery that was settled. */
export interface Settled extends Reception {
  readonly delivery: Delivery;
  /** The method that was, or will be, sent for it. */
  readonly action: "ack" | "nack" | "reject";
  /** Whether it goes back to its queue; false for an acknowledged one. */
  readonly requeue: boolean;
}

/** What is told of a connection: its events, with their names as `type`. */
export type ObservedEvent = {
  [Name in keyof ConnectionEvents]: { readonly type: Name } & (ConnectionEvents[Name] extends undefined
    ? unknown
    : ConnectionEvents[Name]);
}[keyof ConnectionEvents];

/**
 * Functions to be called, each of them optional; `instrument` makes of them what `connect()` takes.
 *
 * They are called synchronously, in the order they were given in, and should be quick. What they throw is reported as
 * the connection's `callback-error`, and hurts nobody.
 */
export interface Hooks {
  /**
   * A message is about to be published, or to wait for its turn. What is returned is called once, when its fate is
   * known: with the error where it failed; without confirms, when it was handed over.
   */
  publish?(message: OutgoingMessage): ((error: unknown) => void) | undefined;
  /**
   * A handler is about to be called with a delivery: `run` calls it. A hook may run it inside of a context of its own,
   * but at once: when it has not run by the time the hook returns, it is run then. What the handler returned, or its
   * promise, is what `run` returns; what it throws is to be thrown on.
   */
  deliver?(delivery: ConsumerDelivery, reception: Reception, run: () => unknown): void;
  /**
   * A message was handed to whoever asked for one: by iterating, by `take`, or by `basic.get`. `waited` is how long that
   * took, in milliseconds; 0 for a message that was here already.
   */
  receive?(delivery: Delivery, reception: Reception, waited: Millis): void;
  /** Somebody asked for a message, and got none. Not told of a consumer that has come to its end in order. */
  missed?(missed: Missed): void;
  /** A delivery was settled, by the application or for it. Not told when the channel is lost instead. */
  settle?(settled: Settled): void;
  /**
   * One attempt to connect to one endpoint begins. What is returned is called once, when it is over: with the failure,
   * or with `undefined` when the connection is open. A failure is mostly a `ConnectAttemptError`.
   */
  connect?(attempt: ConnectAttempt): ((error: unknown) => void) | undefined;
  /** What the connection's listeners are told; of the first connection, too (`connected`, epoch 1). */
  connection?(event: ObservedEvent, connection: ObservedConnection): void;
  /** A channel was opened, or opened again, or closed. */
  channel?(event: ChannelEvent, connection: ObservedConnection): void;
}

/** An attempt to connect. */
export interface ConnectAttempt {
  readonly connection: ObservedConnection;
  /** Where to. It may hold secrets of TLS: show `address`. */
  readonly endpoint: Endpoint;
  /** Where to, without anything secret: `host:port`, a path, or a URL. */
  readonly address: string;
  /** Which round through the endpoints, from 1. */
  readonly round: number;
  /** A clock that only goes on, in milliseconds. */
  readonly at: Millis;
}

/** What became of a channel. */
export type ChannelEvent =
  | { readonly type: "open"; readonly channel: number }
  /** `error` is `undefined` when this client closed it. */
  | { readonly type: "closed"; readonly channel: number; readonly error: EndError | undefined };
