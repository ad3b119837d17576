/** Consumers: with a handler, or as something to iterate over. */

import type { Millis } from "../engine/config.ts";
import type { ConsumerEnd } from "./consumer-options.ts";
import type { Deadlines } from "./deadlines.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import { DeliveryQueue, type IterateOptions, type TakeOptions } from "./delivery-queue.ts";
import { duration, patience } from "./option-checks.ts";
import type { Subscription } from "./subscription.ts";

/** How long `close` waits for handlers, unless it is told. */
const defaultDrain: Millis = 30_000;

/** What a consumer needs for closing. */
export interface ConsumerHost {
  readonly deadlines: Deadlines;
  /** Sends what was settled. Closes the channel where the consumer has one of its own. */
  consumerClosed(): Promise<void>;
}

/** What became of a consumer's messages when it was closed. */
export interface ConsumerClosed {
  /** Messages that waited for their handler, and went back to the queue. */
  readonly requeued: number;
  /** Handlers that still ran when the time was up. */
  readonly unfinished: number;
}

/**
 * A consumer of a queue. It ends by {@link cancel} or {@link close}, or for a reason that {@link ended} tells; it never
 * begins again.
 */
export class Consumer {
  readonly #subscription: Subscription;
  readonly #host: ConsumerHost;
  #closing: Promise<ConsumerClosed> | undefined;

  constructor(subscription: Subscription, host: ConsumerHost) {
    this.#subscription = subscription;
    this.#host = host;
  }

  /** The consumer's name on its channel. */
  get consumerTag(): string {
    return this.#subscription.info.consumerTag;
  }

  /** The queue's name; another one after a recovery, when the server made it up. */
  get queue(): string {
    return this.#subscription.queue;
  }

  /** Whether the server took each message for settled when it sent it. */
  get noAck(): boolean {
    return this.#subscription.info.noAck;
  }

  /** Where the consumer stands. */
  get state(): "consuming" | "cancelling" | "ended" {
    return this.#subscription.state;
  }

  /** Messages that were received and that nobody has taken yet. */
  get buffered(): number {
    return this.#subscription.buffered;
  }

  /** Handlers that run. */
  get running(): number {
    return this.#subscription.running;
  }

  /** Why the consumer gets no more messages. Resolves when it is so, and never rejects. Handlers may still run then. */
  get ended(): Promise<ConsumerEnd> {
    return this.#subscription.ended;
  }

  /** Whether it hands out nothing at the moment. */
  get paused(): boolean {
    return this.#subscription.paused;
  }

  /**
   * Hands out no more messages, until {@link resume}. The server goes on sending up to the prefetch; with `noAck`, or
   * without a prefetch, reading from the connection stops when the buffer is full.
   */
  pause(): void {
    this.#subscription.pause();
  }

  /** Hands out messages again. */
  resume(): void {
    this.#subscription.resume();
  }

  /**
   * Cancels the consumer. Messages that nobody has taken go back to the queue; with `noAck` they cannot, and are still
   * handed out. Handlers that run go on, and may settle. It may be called by a handler, and more than once.
   *
   * @returns how many messages went back. Never rejects: when the channel is lost, the server gives back the same messages.
   * After 5 s it resolves in any case: a server that has blocked the connection answers nothing. Until it has, nothing is
   * handed out that can go back, and {@link ended} tells when.
   */
  cancel(): Promise<number> {
    return this.#subscription.cancel();
  }

  /**
   * Cancels the consumer, waits for the handlers that run, and sends what they settled. A consumer with a channel of its
   * own closes it.
   *
   * @param options - `drain`: how long to wait for handlers, in milliseconds; default 30 s. For the server, which may have
   * blocked the connection, it waits 5 s before and 5 s behind that at the most.
   */
  async close({ drain = defaultDrain }: { readonly drain?: Millis | undefined } = {}): Promise<ConsumerClosed> {
    patience(drain, "drain");
    this.#closing ??= this.#close(drain);
    return this.#closing;
  }

  /** Closes the consumer, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => {});
  }

  async #close(drain: Millis): Promise<ConsumerClosed> {
    const requeued = await this.cancel();
    await this.#host.deadlines.within(this.#subscription.idle(), drain);
    const unfinished = this.#subscription.running;
    await this.#host.consumerClosed();
    return { requeued, unfinished };
  }
}

/**
 * A consumer to iterate over: `for await (const delivery of consumer)`. Each message is to be settled by whoever takes
 * it. Leaving the loop cancels the consumer, and what was not taken goes back to the queue.
 *
 * The loop ends when the consumer is cancelled or its channel is closed by this client; otherwise it throws what ended
 * the consumer: `ConsumerCancelledError`, `ChannelError` or `ConnectionError`.
 */
export class IterableConsumer extends Consumer implements AsyncIterable<ConsumerDelivery> {
  readonly #queue: DeliveryQueue;

  constructor(subscription: Subscription, host: ConsumerHost, queue?: DeliveryQueue) {
    super(subscription, host);
    this.#queue = queue ?? new DeliveryQueue(subscription, host.deadlines);
    subscription.sink = this.#queue;
  }

  /**
   * The next message. Resolves with `undefined` when none came in `timeout`, or when the consumer was cancelled.
   *
   * @throws ConsumerCancelledError, ChannelError or ConnectionError: what ended the consumer; AbortError.
   */
  async take(options: TakeOptions = {}): Promise<ConsumerDelivery | undefined> {
    return this.#queue.next(options);
  }

  /**
   * A loop that does not sleep for ever: with `inactivityTimeout` it gets `undefined` whenever no message came for so long,
   * and goes on. Otherwise as a loop over the consumer itself.
   *
   * ```ts
   * for await (const delivery of consumer.iterate({ inactivityTimeout: 5_000 })) {
   *   if (delivery === undefined) await tidyUp();
   * }
   * ```
   *
   * @throws UsageError for a timeout that is none; otherwise the loop throws, what a loop over the consumer throws, and
   * AbortError.
   */
  iterate(
    options: IterateOptions & { readonly inactivityTimeout: Millis },
  ): AsyncIterable<ConsumerDelivery | undefined>;
  iterate(options: { readonly signal?: AbortSignal | undefined }): AsyncIterable<ConsumerDelivery>;
  iterate({ inactivityTimeout, signal }: IterateOptions): AsyncIterable<ConsumerDelivery | undefined> {
    if (inactivityTimeout !== undefined) duration(inactivityTimeout, "inactivityTimeout");
    const queue = this.#queue;
    const next = async (): Promise<IteratorResult<ConsumerDelivery | undefined, undefined>> => {
      const value = await queue.next({ timeout: inactivityTimeout, signal });
      return value === undefined && queue.over ? { done: true, value } : { done: false, value };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: () => this.#leave() }) };
  }

  /** Takes messages one by one; leaving the loop cancels the consumer. */
  [Symbol.asyncIterator](): AsyncIterator<ConsumerDelivery, undefined> {
    return {
      next: () => {
        const here = this.#queue.takeNow();
        return here === undefined ? this.#queue.next({}).then(iteratorResult) : Promise.resolve(iteratorResult(here));
      },
      return: () => this.#leave(),
    };
  }

  async #leave(): Promise<IteratorReturnResult<undefined>> {
    await this.cancel();
    return { done: true, value: undefined };
  }
}

function iteratorResult(value: ConsumerDelivery | undefined): IteratorResult<ConsumerDelivery, undefined> {
  return value === undefined ? { done: true, value } : { done: false, value };
}
