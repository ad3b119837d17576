/** Exchanges, queues and bindings: the calls of a channel that blocks which shape them. */

import type {
  ExchangeBindOptions,
  ExchangeDeclareOptions,
  ExchangeDeleteOptions,
  MessageCount,
  QueueBindOptions,
  QueueDeclared,
  QueueDeclareOptions,
  QueueDeleteOptions,
  QueuePurgeOptions,
  QueueUnbindOptions,
} from "../client/channel-options.ts";
import type { BlockingLane } from "./blocking-lane.ts";
import type { Blocking } from "./blocking-options.ts";

/** The part of a channel that declares and binds. */
export abstract class BlockingTopology {
  readonly #lane: BlockingLane;

  /** @internal */
  constructor(lane: BlockingLane) {
    this.#lane = lane;
  }

  /** Declares an exchange, as `Channel.exchangeDeclare`. */
  exchangeDeclare(options: Blocking<ExchangeDeclareOptions>): void {
    this.#lane.call("exchangeDeclare", options);
  }

  /** Deletes an exchange, as `Channel.exchangeDelete`. */
  exchangeDelete(options: Blocking<ExchangeDeleteOptions>): void {
    this.#lane.call("exchangeDelete", options);
  }

  /** Binds an exchange to another, as `Channel.exchangeBind`. */
  exchangeBind(options: Blocking<ExchangeBindOptions>): void {
    this.#lane.call("exchangeBind", options);
  }

  /** Removes a binding, as `Channel.exchangeUnbind`. */
  exchangeUnbind(options: Blocking<ExchangeBindOptions>): void {
    this.#lane.call("exchangeUnbind", options);
  }

  /** Makes a queue, unless there is one of that name and kind. With `noWait` nothing is known of it. */
  queueDeclare(options: Blocking<QueueDeclareOptions> & { readonly noWait: true }): undefined;
  queueDeclare(options?: Blocking<QueueDeclareOptions> & { readonly noWait?: false | undefined }): QueueDeclared;
  queueDeclare(options: Blocking<QueueDeclareOptions> = {}): QueueDeclared | undefined {
    return this.#lane.call("queueDeclare", options) as QueueDeclared | undefined;
  }

  /** Binds a queue, as `Channel.queueBind`. */
  queueBind(options: Blocking<QueueBindOptions>): void {
    this.#lane.call("queueBind", options);
  }

  /** Removes a binding, as `Channel.queueUnbind`. */
  queueUnbind(options: Blocking<QueueUnbindOptions>): void {
    this.#lane.call("queueUnbind", options);
  }

  /** Takes all ready messages out of a queue. */
  queuePurge(options: Blocking<QueuePurgeOptions> & { readonly noWait: true }): undefined;
  /** Drops what is ready in a queue, as `Channel.queuePurge`. */
  queuePurge(options: Blocking<QueuePurgeOptions> & { readonly noWait?: false | undefined }): MessageCount;
  /** Drops what is ready in a queue, as `Channel.queuePurge`. */
  queuePurge(options: Blocking<QueuePurgeOptions>): MessageCount | undefined {
    return this.#lane.call("queuePurge", options) as MessageCount | undefined;
  }

  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: Blocking<QueueDeleteOptions> & { readonly noWait: true }): undefined;
  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: Blocking<QueueDeleteOptions> & { readonly noWait?: false | undefined }): MessageCount;
  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: Blocking<QueueDeleteOptions>): MessageCount | undefined {
    return this.#lane.call("queueDelete", options) as MessageCount | undefined;
  }
}
