/** Exchanges, queues and bindings: the calls of a worker's channel which shape them. */

import type {
  CallerOptions,
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
import type { PlainCall } from "./channel-service.ts";
import type { PortGuest } from "./port-guest.ts";

/** Makes a call that is the same in both threads. */
export type CallThere = (method: PlainCall, options: CallerOptions) => Promise<unknown>;

/** Calls of a lane. */
export function callsOf(guest: PortGuest, lane: number): CallThere {
  return (method, options) => guest.call(lane, method, options, { signal: options.signal });
}

/** The part of a worker's channel that declares and binds. */
export abstract class WorkerTopology {
  readonly #call: CallThere;

  /** @internal */
  constructor(call: CallThere) {
    this.#call = call;
  }

  /** Declares an exchange, as `Channel.exchangeDeclare`. */
  async exchangeDeclare(options: ExchangeDeclareOptions): Promise<void> {
    await this.#call("exchangeDeclare", options);
  }

  /** Deletes an exchange, as `Channel.exchangeDelete`. */
  async exchangeDelete(options: ExchangeDeleteOptions): Promise<void> {
    await this.#call("exchangeDelete", options);
  }

  /** Binds an exchange to another, as `Channel.exchangeBind`. */
  async exchangeBind(options: ExchangeBindOptions): Promise<void> {
    await this.#call("exchangeBind", options);
  }

  /** Removes a binding, as `Channel.exchangeUnbind`. */
  async exchangeUnbind(options: ExchangeBindOptions): Promise<void> {
    await this.#call("exchangeUnbind", options);
  }

  /** Makes a queue, unless there is one of that name and kind. With `noWait` nothing is known of it. */
  queueDeclare(options: QueueDeclareOptions & { readonly noWait: true }): Promise<undefined>;
  queueDeclare(options?: QueueDeclareOptions & { readonly noWait?: false | undefined }): Promise<QueueDeclared>;
  queueDeclare(options: QueueDeclareOptions = {}): Promise<QueueDeclared | undefined> {
    return this.#call("queueDeclare", options) as Promise<QueueDeclared | undefined>;
  }

  /** Binds a queue, as `Channel.queueBind`. */
  async queueBind(options: QueueBindOptions): Promise<void> {
    await this.#call("queueBind", options);
  }

  /** Removes a binding, as `Channel.queueUnbind`. */
  async queueUnbind(options: QueueUnbindOptions): Promise<void> {
    await this.#call("queueUnbind", options);
  }

  /** Drops what is ready in a queue, as `Channel.queuePurge`. */
  queuePurge(options: QueuePurgeOptions & { readonly noWait: true }): Promise<undefined>;
  /** Drops what is ready in a queue, as `Channel.queuePurge`. */
  queuePurge(options: QueuePurgeOptions & { readonly noWait?: false | undefined }): Promise<MessageCount>;
  /** Drops what is ready in a queue, as `Channel.queuePurge`. */
  queuePurge(options: QueuePurgeOptions): Promise<MessageCount | undefined> {
    return this.#call("queuePurge", options) as Promise<MessageCount | undefined>;
  }

  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: QueueDeleteOptions & { readonly noWait: true }): Promise<undefined>;
  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: QueueDeleteOptions & { readonly noWait?: false | undefined }): Promise<MessageCount>;
  /** Deletes a queue, as `Channel.queueDelete`. */
  queueDelete(options: QueueDeleteOptions): Promise<MessageCount | undefined> {
    return this.#call("queueDelete", options) as Promise<MessageCount | undefined>;
  }
}
