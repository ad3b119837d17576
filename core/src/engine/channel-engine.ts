/** A channel as its user sees it: commands that are legal, or throw a `UsageError` before anything changed. */

import type { Arguments, ClientMethodName, RequestName } from "../wire/method-types.ts";
import type { Publication } from "./frame-writer.ts";
import type { Request } from "./request.ts";

/** The requests that may be made on a channel. Opening and closing have commands of their own. */
export type ChannelRequestName = Exclude<
  RequestName & ClientMethodName,
  `connection.${string}` | "channel.open" | "channel.close"
>;

/** The requests that the protocol lets a client send without waiting for a reply. */
export type NoWaitName = {
  [M in ChannelRequestName]: "noWait" extends keyof Arguments<M> ? M : never;
}[ChannelRequestName];

/** The methods of a channel that have no reply. */
export type OneWayName = NoWaitName | "basic.ack" | "basic.nack" | "basic.reject" | "basic.recover-async";

/** How publishes on a channel are treated: as they come, with confirms, or in transactions. A channel leaves a mode only by closing. */
export type ChannelMode = "plain" | "confirm" | "tx";

/** What `close` of a channel and of a connection tells the server. */
export interface Farewell {
  /** Default 200. */
  readonly replyCode?: number | undefined;
  /** At most 255 bytes. Default `"Normal shutdown"`. */
  readonly replyText?: string | undefined;
}

/**
 * One channel of a connection.
 *
 * Every command throws a `UsageError`, and has changed nothing then: INVALID_ARGUMENT for a value that cannot be sent,
 * ILLEGAL_STATE when the channel is not open, LIMIT_REACHED when a limit of `EngineLimits` is reached.
 */
export interface ChannelEngine {
  readonly number: number;
  /** `"closing"` from the call of `close()` on. */
  readonly state: "opening" | "open" | "closing" | "closed";
  readonly mode: ChannelMode;
  /** False while the server asks for a pause in publishing (`channel.flow`). Publishing stays legal. */
  readonly flowActive: boolean;
  /** The number that the next publish gets in confirm mode. */
  readonly nextSequence: number;
  /** How many publishes wait for their confirm. */
  readonly unconfirmed: number;

  /**
   * Makes a request. One is in flight at a time; later ones wait in order. It ends in a `reply` event (`basic.get-ok`
   * for a message that was got), or in the `channel-closed` event that lists it. Legal while the channel is opening.
   */
  request<M extends ChannelRequestName>(method: M, fields: Arguments<M>): Request<M>;

  /**
   * Sends a method that has no reply. A request is sent with `noWait: true`; it keeps its place behind the requests
   * that wait, and its failure closes the channel.
   */
  send<M extends OneWayName>(method: M, fields: Arguments<M>): void;

  /**
   * Publishes a message, past the requests that wait; as with acks, nacks and rejects, only a commit, a rollback or a
   * change of the mode that was called before is not overtaken.
   *
   * @returns the sequence number that its `settled` event will name, 0 without confirms.
   */
  publish(publication: Publication): number;

  /** Acknowledges a delivery, or with `multiple` all up to it; tag 0 with `multiple` is all. */
  ack(deliveryTag: number, multiple: boolean): void;
  /** Refuses a delivery, or with `multiple` all up to it. */
  nack(deliveryTag: number, multiple: boolean, requeue: boolean): void;
  /** Refuses one delivery. */
  reject(deliveryTag: number, requeue: boolean): void;

  /**
   * Whether bodies of deliveries to a consumer are lent from now on: such a body is a view of the chunk that arrived, or of
   * memory that the next one is put together in. It is good until `nextEvent` is called again.
   */
  lendBodies(consumerTag: string, lend: boolean): void;

  /**
   * Closes the channel once the requests before it were answered; ends in `channel-closed`. Does nothing when the
   * channel is closing or closed.
   */
  close(farewell?: Farewell): void;
}
