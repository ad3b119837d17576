/** A request as its handler sees it, and what the handler may answer. */

import type { Millis } from "../../engine/config.ts";
import type { BasicProperties } from "../../wire/properties.ts";
import type { MaybePromise } from "../codecs/codec.ts";
import type { ConnectionInternals } from "../connection.ts";
import type { Deadline } from "../deadlines.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import { TimeoutError } from "../errors.ts";
import type { OutgoingProperties } from "../outgoing-properties.ts";
import { longestTimeToLive } from "./rpc-options.ts";

/** What is known of a request beside its value. */
export interface RpcRequest {
  readonly properties: BasicProperties;
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether the request may have been handled before: by a server that ended, or lost its connection, before it was done. */
  readonly redelivered: boolean;
  /** Whether anybody waits for a reply. */
  readonly wantsReply: boolean;
  /**
   * Aborts when the answer is of no use any more: when the caller's time is up, by the request's time to live
   * (`expiration`), counted from when its handler was called; and when the server is over, and the request went back to
   * its queue. To be given to whatever the handler waits for.
   */
  readonly signal: AbortSignal;
}

/** Properties of one reply. `correlationId` is the request's. */
export type ReplyProperties = Omit<OutgoingProperties, "correlationId">;

/** A reply with properties of its own; {@link replyWith} makes it. */
export class ReplyWith<Reply> {
  readonly value: Reply;
  readonly properties: ReplyProperties;

  constructor(value: Reply, properties: ReplyProperties) {
    this.value = value;
    this.properties = properties;
  }
}

/**
 * What a handler returns for a reply that has properties of its own, such as headers or a type: they are added to those of
 * the server's option `properties`.
 *
 * ```ts
 * (order) => replyWith(accept(order), { headers: { "x-version": 2 } })
 * ```
 */
export function replyWith<Reply>(value: Reply, properties: ReplyProperties): ReplyWith<Reply> {
  return new ReplyWith(value, properties);
}

/**
 * Answers a request: what it returns is the reply, or {@link replyWith} makes it. It throws an `RpcError` to tell the
 * caller what is wrong.
 *
 * Requests may come twice, see {@link RpcRequest.redelivered}: a handler has to bear that.
 */
export type RpcHandler<Request, Reply> = (
  value: Request,
  request: RpcRequest,
) => MaybePromise<Reply | ReplyWith<Reply>>;

/** A request that is being handled. A handler that does not ask for the signal costs no timer. */
export class ServedRequest implements RpcRequest {
  readonly properties: BasicProperties;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly wantsReply: boolean;
  readonly #internals: ConnectionInternals;
  readonly #since: Millis;
  #controller: AbortController | undefined;
  #deadline: Deadline | undefined;
  /** Why the server does not answer it any more. */
  #abandoned: { readonly reason: unknown } | undefined;

  /** @throws ProtocolError when the properties do not parse. */
  constructor({ properties, exchange, routingKey, redelivered }: ConsumerDelivery, internals: ConnectionInternals) {
    this.properties = properties;
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.redelivered = redelivered;
    this.wantsReply = (properties.replyTo ?? "") !== "";
    this.#internals = internals;
    this.#since = internals.io.now();
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abandoned === undefined) this.#obeyDeadline();
      else this.#controller.abort(this.#abandoned.reason);
    }
    return this.#controller.signal;
  }

  /** Whether the server leaves it to others. */
  get abandoned(): boolean {
    return this.#abandoned !== undefined;
  }

  /** Whether an error is what the handler heard from its signal: what waits for one throws its reason, or an `AbortError`. */
  isAbort(error: unknown): boolean {
    const signal = this.#controller?.signal;
    if (signal?.aborted !== true) return false;
    return error === signal.reason || (error instanceof Error && error.name === "AbortError");
  }

  /** The server leaves it to others. */
  abandon(reason: unknown): void {
    this.#abandoned = { reason };
    this.#controller?.abort(reason);
  }

  /** The handler is done. */
  done(): void {
    this.#deadline?.cancel();
  }

  #obeyDeadline(): void {
    const timeToLive = this.wantsReply ? timeToLiveOf(this.properties) : undefined;
    if (timeToLive === undefined) return;
    const { deadlines, io } = this.#internals;
    this.#deadline = deadlines.start(Math.max(0, this.#since + timeToLive - io.now()), {
      expire: () => this.#controller?.abort(new TimeoutError("The caller's time is up", "unknown")),
    });
  }
}

/** How long a request may live, which is how long its caller waits, as far as anybody can know. */
function timeToLiveOf({ expiration = "" }: BasicProperties): Millis | undefined {
  const time = /^\d+$/.test(expiration) ? Number(expiration) : Infinity;
  return time <= longestTimeToLive ? time : undefined;
}
