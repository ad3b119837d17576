/** Exchanges, queues and bindings: the methods of a channel that shape them. */

import type { NoWaitName } from "../engine/channel-engine.ts";
import type { Arguments } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
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
import { checkCall, defined } from "./option-checks.ts";

/** What a deletion may be refused for. */
type Conditions = Pick<QueueDeleteOptions, "ifUnused" | "ifEmpty">;

/** Fields of a method, as they are given. */
type Given<M extends NoWaitName> = NoWaitOptions &
  Conditions & { readonly [F in keyof Arguments<M>]?: Arguments<M>[F] | undefined };

/**
 * The part of a channel that declares and binds.
 *
 * Every method rejects with `ChannelError` when the server refuses (404 for what does not exist, 406 for what exists
 * differently, 403 and 405): the channel is closed then. With `UsageError` for what cannot be sent, `ConnectionError`
 * when the connection is lost, and `AbortError`.
 */
export abstract class ChannelTopology {
  readonly #core: ChannelCore;

  constructor(core: ChannelCore) {
    this.#core = core;
  }

  /** Makes an exchange, unless there is one of that name and kind. */
  async exchangeDeclare(options: ExchangeDeclareOptions): Promise<void> {
    await this.#do("exchange.declare", options, { type: "direct", durable: true }, () =>
      checkExchangeArguments(options.arguments),
    );
  }

  /** Deletes an exchange. It is no error when there is none. */
  async exchangeDelete(options: ExchangeDeleteOptions): Promise<void> {
    await this.#do("exchange.delete", options);
  }

  /** Binds an exchange to another one (an extension of RabbitMQ). */
  async exchangeBind(options: ExchangeBindOptions): Promise<void> {
    await this.#do("exchange.bind", options, { routingKey: "" }, () => checkBindingArguments(options.arguments));
  }

  /** Undoes a binding between exchanges, which is named by all its fields. It is no error when there is none. */
  async exchangeUnbind(options: ExchangeBindOptions): Promise<void> {
    await this.#do("exchange.unbind", options, { routingKey: "" });
  }

  /** Makes a queue, unless there is one of that name and kind. With `noWait` nothing is known of it. */
  queueDeclare(options: QueueDeclareOptions & { readonly noWait: true }): Promise<undefined>;
  queueDeclare(options?: QueueDeclareOptions & { readonly noWait?: false | undefined }): Promise<QueueDeclared>;
  queueDeclare(options?: QueueDeclareOptions): Promise<QueueDeclared | undefined>;
  async queueDeclare(options: QueueDeclareOptions = {}): Promise<QueueDeclared | undefined> {
    const defaults = { queue: "", durable: options?.exclusive !== true };
    return this.#do("queue.declare", options, defaults, () => checkQueueArguments(options.arguments));
  }

  /** Binds a queue to an exchange. */
  async queueBind(options: QueueBindOptions): Promise<void> {
    await this.#do("queue.bind", options, { routingKey: "" }, () => checkBindingArguments(options.arguments));
  }

  /** Undoes a binding, which is named by all its fields. It is no error when there is none. */
  async queueUnbind(options: QueueUnbindOptions): Promise<void> {
    checkCall("queue.unbind", options);
    const { routingKey = "", signal } = options;
    await this.#core.call("queue.unbind", { ...options, routingKey }, signal);
  }

  /** Takes all ready messages out of a queue. Messages that wait for their acknowledgement stay. */
  queuePurge(options: QueuePurgeOptions & { readonly noWait: true }): Promise<undefined>;
  queuePurge(options: QueuePurgeOptions & { readonly noWait?: false | undefined }): Promise<MessageCount>;
  queuePurge(options: QueuePurgeOptions): Promise<MessageCount | undefined> {
    return this.#do("queue.purge", options);
  }

  /** Deletes a queue with its messages. It is no error when there is none. */
  queueDelete(options: QueueDeleteOptions & { readonly noWait: true }): Promise<undefined>;
  queueDelete(options: QueueDeleteOptions & { readonly noWait?: false | undefined }): Promise<MessageCount>;
  queueDelete(options: QueueDeleteOptions): Promise<MessageCount | undefined> {
    return this.#do("queue.delete", options);
  }

  async #do<M extends NoWaitName>(
    method: M,
    options: Given<M>,
    defaults?: Given<M>,
    checkArguments?: () => void,
  ): Promise<ReplyFields<M> | undefined> {
    checkCall(method, options, { signal: true, ...("arguments" in methods[method].fields && { record: true }) });
    checkArguments?.();
    const { noWait = false, signal, ifUnused, ifEmpty } = options;
    const fields = { ...defaults, ...defined(options) } as Arguments<M>;
    if (!noWait) return this.#core.call(method, fields, signal);
    // A refusal names the method only. Of several deletions without an answer nobody would know which it was.
    if (ifUnused === true || ifEmpty === true) await this.#core.call(method, { ...fields, noWait: false }, signal);
    else await this.#core.tell(method, fields);
    return undefined;
  }
}
