/**
 * What an engine tells its driver: a union of plain, complete, read-only objects.
 *
 * A dotted `type` is the method that the server sent; a plain word is something that the engine concluded.
 * Heartbeats, tuning and automatic answers are not events.
 */

import type { FieldTable } from "../wire/field-values.ts";
import type { Method, ReplyName, RequestName } from "../wire/method-types.ts";
import type { Content } from "./content.ts";
import type { ChannelError, ConnectionError } from "./errors.ts";
import type { Request } from "./request.ts";

/** The connection is open: channels may be opened. */
export interface OpenEvent {
  readonly type: "open";
  readonly serverProperties: FieldTable;
  /** The SASL mechanism that was used. */
  readonly mechanism: string;
  /** The negotiated values; 0 stands for no limit, and for no heartbeats. */
  readonly channelMax: number;
  readonly frameMax: number;
  /** Seconds. */
  readonly heartbeat: number;
}

/** The server stopped reading from this connection: an alarm is set. */
export interface BlockedEvent {
  readonly type: "connection.blocked";
  readonly reason: string;
}

/** The server reads again. */
export interface UnblockedEvent {
  readonly type: "connection.unblocked";
}

/** A channel is open. */
export interface ChannelOpenEvent {
  readonly type: "channel-open";
  readonly channel: number;
}

/** A request was answered. `basic.get-ok` is an event of its own. */
export interface ReplyEvent {
  readonly type: "reply";
  /** 0 for a request of the connection. */
  readonly channel: number;
  readonly request: Request;
  readonly reply: Method<Exclude<ReplyName<RequestName>, "basic.get-ok">>;
}

/** A `basic.get` was answered with a message. */
export interface GetOkEvent {
  readonly type: "basic.get-ok";
  readonly channel: number;
  readonly request: Request<"basic.get">;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  readonly messageCount: number;
  readonly content: Content;
}

/** A message for a consumer. */
export interface DeliverEvent {
  readonly type: "basic.deliver";
  readonly channel: number;
  readonly consumerTag: string;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Content;
}

/** A mandatory message that no queue took, handed back. */
export interface ReturnEvent {
  readonly type: "basic.return";
  readonly channel: number;
  readonly replyCode: number;
  readonly replyText: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Content;
}

/** The server cancelled a consumer (consumer cancel notification). It needs no answer. */
export interface CancelEvent {
  readonly type: "basic.cancel";
  readonly channel: number;
  readonly consumerTag: string;
}

/** The server asks for a pause in publishing, or ends it. It was answered. */
export interface FlowEvent {
  readonly type: "channel.flow";
  readonly channel: number;
  readonly active: boolean;
}

/** Publishes `first` to `last` (sequence numbers, inclusive) were settled, each for the first time. */
export interface SettledEvent {
  readonly type: "settled";
  readonly channel: number;
  readonly first: number;
  readonly last: number;
  readonly outcome: "ack" | "nack";
}

/** Output was taken after it had reached the high-water mark: producers may go on. */
export interface WritableEvent {
  readonly type: "writable";
}

/**
 * A channel ended; every request of it that was not answered ends with it. Its number is free again only when the
 * engine says so by handing it out.
 */
export interface ChannelClosedEvent {
  readonly type: "channel-closed";
  readonly channel: number;
  /** `undefined`: we closed it, and the server agreed. A `ConnectionError` where the whole connection ended. */
  readonly error: ChannelError | ConnectionError | undefined;
  /** The requests that end with the channel, oldest first, and whether each had been sent. */
  readonly requests: readonly Request[];
}

/** The connection ended. It is the last event, and comes after a `channel-closed` for each channel. */
export interface ClosedEvent {
  readonly type: "closed";
  /** `undefined`: we closed it, and the server agreed or left. */
  readonly error: ConnectionError | undefined;
  /** The requests of the connection itself that end with it. */
  readonly requests: readonly Request[];
}

/** Anything an engine reports. */
export type ConnectionEvent =
  | OpenEvent
  | BlockedEvent
  | UnblockedEvent
  | ChannelOpenEvent
  | ReplyEvent
  | GetOkEvent
  | DeliverEvent
  | ReturnEvent
  | CancelEvent
  | FlowEvent
  | SettledEvent
  | WritableEvent
  | ChannelClosedEvent
  | ClosedEvent;
