/** Exchanges, queues and bindings: the methods of a channel that shape them. */

import type { NoWaitName } from "../engine/channel-engine.ts";
import type { Arguments } from "../wire/method-types.ts";
import { checkBindingArguments, checkExchangeArguments, checkQueueArguments } from "./arguments.ts";
import type { ChannelCore, ReplyFields } from "./channel-core.ts";
import type {
  ExchangeBindOptions,
  ExchangeDeclareOptions,
  ExchangeDeleteOptions,
  MessageCount,
  NoWaitOptions,
  QueueBindOptions,
  QueueDeclared,
  QueueDeclareOptions,
  QueueDeleteOptions,
  QueuePurgeOptions,
  QueueUnbindOptions,
} from "./channel-options.ts";
import { record } from "./option-checks.ts";

/** What a deletion may be refused for. */
type Conditions = Pick<QueueDeleteOptions, "ifUnused" | "ifEmpty">;

/**
 * The part of a channel that declares and binds.
 *
 * Every method rejects with `ChannelError` when the server refuses (404 for what does not exist, 406 for what exists
 * differently, 403 and 405): the channel is closed then. With `UsageError` for what cannot be sent, `ConnectionError`
 * when the connection is lost, and `AbortError`.
 */
export abstract class Topology {
  readonly #core: ChannelCore;

  constructor(core: ChannelCore) {
    this.#core = core;
  }

  /** Makes an exchange, unless there is one of that name and kind. */
  async exchangeDeclare(options: ExchangeDeclareOptions): Promise<void> {
    const { type = "direct", durable = true } = options;
    checkExchangeArguments(options.arguments);
    await this.#do("exchange.declare", { ...options, type, durable }, options);
  }

  /** Deletes an exchange. It is no error when there is none. */
  async exchangeDelete(options: ExchangeDeleteOptions): Promise<void> {
    await this.#do("exchange.delete", options, options);
  }

  /** Binds an exchange to another one (an extension of RabbitMQ). */
  async exchangeBind(options: ExchangeBindOptions): Promise<void> {
    checkBindingArguments(options.arguments);
    await this.#do("exchange.bind", { ...options, routingKey: options.routingKey ?? "" }, options);
  }

  /** Undoes a binding between exchanges, which is named by all its fields. It is no error when there is none. */
  async exchangeUnbind(options: ExchangeBindOptions): Promise<void> {
    await this.#do("exchange.unbind", { ...options, routingKey: options.routingKey ?? "" }, options);
  }

  /** Makes a queue, unless there is one of that name and kind. With `noWait` nothing is known of it. */
  queueDeclare(options: QueueDeclareOptions & { readonly noWait: true }): Promise<undefined>;
  queueDeclare(options?: QueueDeclareOptions & { readonly noWait?: false | undefined }): Promise<QueueDeclared>;
  queueDeclare(options?: QueueDeclareOptions): Promise<QueueDeclared | undefined>;
  async queueDeclare(options: QueueDeclareOptions = {}): Promise<QueueDeclared | undefined> {
    // Else a name in place of options would be a queue that the server names, and nobody knows.
    record(options, "options");
    const { queue = "", exclusive = false, durable = !exclusive } = options;
    checkQueueArguments(options.arguments);
    return this.#do("queue.declare", { ...options, queue, exclusive, durable }, options);
  }

  /** Binds a queue to an exchange. */
  async queueBind(options: QueueBindOptions): Promise<void> {
    checkBindingArguments(options.arguments);
    await this.#do("queue.bind", { ...options, routingKey: options.routingKey ?? "" }, options);
  }

  /** Undoes a binding, which is named by all its fields. It is no error when there is none. */
  async queueUnbind(options: QueueUnbindOptions): Promise<void> {
    const { routingKey = "", signal } = options;
    await this.#core.call("queue.unbind", { ...options, routingKey }, signal);
  }

  /** Takes all ready messages out of a queue. Messages that wait for their acknowledgement stay. */
  queuePurge(options: QueuePurgeOptions & { readonly noWait: true }): Promise<undefined>;
  queuePurge(options: QueuePurgeOptions & { readonly noWait?: false | undefined }): Promise<MessageCount>;
  queuePurge(options: QueuePurgeOptions): Promise<MessageCount | undefined> {
    return this.#do("queue.purge", options, options);
  }

  /** Deletes a queue with its messages. It is no error when there is none. */
  queueDelete(options: QueueDeleteOptions & { readonly noWait: true }): Promise<undefined>;
  queueDelete(options: QueueDeleteOptions & { readonly noWait?: false | undefined }): Promise<MessageCount>;
  queueDelete(options: QueueDeleteOptions): Promise<MessageCount | undefined> {
    return this.#do("queue.delete", options, options);
  }

  async #do<M extends NoWaitName>(
    method: M,
    fields: Arguments<M>,
    { noWait = false, signal, ifUnused, ifEmpty }: NoWaitOptions & Conditions,
  ): Promise<ReplyFields<M> | undefined> {
    if (!noWait) return this.#core.call(method, fields, signal);
    // A refusal names the method only. Of several deletions without an answer nobody would know which it was.
    if (ifUnused === true || ifEmpty === true) await this.#core.call(method, { ...fields, noWait: false }, signal);
    else await this.#core.tell(method, fields);
    return undefined;
  }
}
