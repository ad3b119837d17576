/** What a channel sees of its connection, and of the broker behind it. */

import type { Output } from "@leveret/core/wire";
import type { Refusal } from "../failures.ts";
import type { Millis, Timers } from "../lib/timers.ts";
import type { VirtualHost } from "../topology/virtual-host.ts";
import type { User } from "../users.ts";
import type { Channel } from "./channel.ts";
import type { ConfirmOptions } from "./confirms.ts";
import type { ReplyTargets } from "./direct-reply.ts";

/** What the broker does for channels. */
export interface ChannelServices {
  readonly timers: Timers;
  readonly confirms: ConfirmOptions;
  readonly maxMessageSize: number;
  /** How long a delivery may stay unsettled. */
  readonly consumerTimeout: Millis;
  /** Consumers of direct replies, everywhere in the broker. */
  readonly replies: ReplyTargets;
  /** Counts what is held in memory: bodies, and all that comes with them. */
  heldBytes(bodies: number, overhead: number): void;
  now(): Millis;
  /** From 0 to 1. */
  random(): number;
  /** A name with a random part that nobody else has, such as `amq.gen-` and 22 characters. */
  uniqueName(prefix: string): string;
  /** Calls {@link Channel.endTurn} when the turn ends. */
  atEndOfTurn(channel: Channel): void;
}

/** The connection of a channel. */
export interface ChannelOwner {
  readonly id: number;
  readonly services: ChannelServices;
  readonly user: User;
  readonly virtualHost: VirtualHost;
  readonly frameMax: number;
  /** The client announced `consumer_cancel_notify`. */
  readonly isToldOfCancels: boolean;
  /** The client keeps up with what it is sent. */
  readonly acceptsDeliveries: boolean;
  /** The client has not left so much unread that replies to it, which nothing holds back, are to be dropped. */
  readonly acceptsReplies: boolean;
  /** Ends the connection: the broker cannot do for it what it has to. */
  fail(refusal: Refusal): void;
  /** Ends a channel by a rule that no method of the client has broken. */
  failChannel(channel: Channel, refusal: Refusal): void;
  /** Where to write; whoever moves the bytes is told that there are some. */
  output(): Output;
}
