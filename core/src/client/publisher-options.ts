/** What a publisher is told. */

import type { EncodedProperties } from "../wire/properties.ts";
import type { OutgoingProperties } from "./outgoing-properties.ts";
import type { WaitOptions } from "./publishing.ts";
import type { Millis } from "../engine/config.ts";

/** Unconfirmed messages that a publisher has at most, unless it is told. */
export const defaultMaxUnconfirmed = 1000;

/** Bytes of their bodies, unless it is told. */
export const defaultMaxUnconfirmedBytes: number = 16 * 1024 * 1024;

/** Options of a publisher. What a message says itself wins over what is said here. */
export interface PublisherOptions {
  /** Where messages go. Default: the default exchange, which routes to the queue named by the routing key. */
  readonly exchange?: string | undefined;
  /** Default empty. */
  readonly routingKey?: string | undefined;
  /** Properties of all messages. A message's own properties are added to them. */
  readonly properties?: OutgoingProperties | undefined;
  /** Messages survive a restart of the server, in queues that do (`deliveryMode` 2). Default true. */
  readonly persistent?: boolean | undefined;
  /** A message that no queue takes is a failure (`UnroutableError`). Default false: such a message is dropped. */
  readonly mandatory?: boolean | undefined;
  /** Whether the server confirms each message. Without, nobody knows what arrived. Default true. */
  readonly confirm?: boolean | undefined;
  /** Messages that may be unconfirmed at a time; later ones wait. Default 1000. */
  readonly maxUnconfirmed?: number | undefined;
  /** Bytes of bodies that may be unconfirmed at a time; one message may exceed it. Default 16 MiB. */
  readonly maxUnconfirmedBytes?: number | undefined;
  /** How long a message may take, waiting for room included. Default: as long as it takes. */
  readonly timeout?: Millis | undefined;
  /** Gives up waiting for the channel to open. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of one message. */
export interface PublishOptions extends WaitOptions {
  readonly exchange?: string | undefined;
  readonly routingKey?: string | undefined;
  /** Added to those of the publisher; encoded ones stand for all of them. */
  readonly properties?: OutgoingProperties | EncodedProperties | undefined;
  readonly mandatory?: boolean | undefined;
}
