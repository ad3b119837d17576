/**
 * Consumers that try again later what failed, and put aside what fails for good.
 *
 * A message that failed is copied to a queue where it waits for its time to live, and from which it is dead-lettered back.
 * The copy is confirmed before the message is acknowledged, so none is lost on the way; when the connection is lost in
 * between, there are two.
 */

import type { Millis } from "../../engine/config.ts";
import { UsageError } from "../../wire/errors.ts";
import type { BasicProperties } from "../../wire/properties.ts";
import { CodecError } from "../codecs/codec-error.ts";
import { type Connection, type ConnectionInternals, internalsOf } from "../connection.ts";
import type { Consumer, ConsumerClosed } from "../consumer.ts";
import { refuseLending } from "../consuming.ts";
import type { HandlerOptions } from "../consumer-options.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import { closeAfterHandlers } from "../handlers-publisher.ts";
import { Future } from "../futures.ts";
import { answerOf } from "../listeners.ts";
import { deliveryCountOf } from "../message-headers.ts";
import { aFunction, illegal, patience } from "../option-checks.ts";
import type { Publisher } from "../publisher.ts";
import { bareRetryProperties, retryProperties, type RetryState, retryStateOf } from "./retry-headers.ts";
import {
  checkRetryQueues,
  declareRetryQueues,
  delayQueueOf,
  parkingQueueOf,
  type RetryQueues,
} from "./retry-queues.ts";

/**
 * Deliveries that a quorum queue has tried before without an end - because the process died, mostly - after which a message
 * is put aside, unless it is told. RabbitMQ 4.0 and newer drop a message after 20.
 */
const defaultMaxRedeliveries = 5;

/**
 * How long a message is held when its copy could not be published, before it is tried again. It stays here: what goes back
 * is counted by a quorum queue, which drops it in the end.
 */
const pauseAfterFailure: Millis = 1000;

/** Options of a consumer that tries again. */
export interface RetryOptions
  extends RetryQueues,
    Omit<HandlerOptions, "queue" | "noAck" | "settle" | "requeue" | "lendBody"> {
  /**
   * Whether a failure may pass; otherwise the message is put aside at once. Default: all but a `CodecError`, since a body
   * that cannot be decoded never can.
   */
  readonly shouldRetry?: ((error: unknown, delivery: ConsumerDelivery) => boolean) | undefined;
  /**
   * Deliveries without an end, as counted by a quorum queue, after which a message is put aside before its handler is
   * called: it may be what ends the process. Default 5. Other queues do not count.
   */
  readonly maxRedeliveries?: number | undefined;
  /** Whether the queues for waiting and parking are declared. Default true. */
  readonly declare?: boolean | undefined;
}

/** What a handler is told of the attempt. */
export interface RetryAttempt extends RetryState {
  /** Whether the message is put aside when this attempt fails. */
  readonly isLast: boolean;
}

/** Takes one message. It is handled when the function returns, or when its promise is fulfilled, and has failed otherwise. */
export type RetryHandler = (delivery: ConsumerDelivery, attempt: RetryAttempt) => unknown;

/** What became of messages. */
export interface RetryCounters {
  readonly handled: number;
  /** Attempts that failed, and whose message is tried again. */
  readonly retried: number;
  /** Messages that were put aside. */
  readonly parked: number;
}

/**
 * Starts a consumer that tries again after a while what failed, as often as there are delays, and then puts the message
 * aside, in a queue where somebody can look at it. What a handler throws is reported as the connection's
 * `callback-error`.
 *
 * ```ts
 * const consumer = await openRetryingConsumer(connection, { queue: "mails", delays: [1_000, 60_000, 3_600_000] }, send);
 * ```
 *
 * @throws as `Connection.openConsumer`, and as `declareRetryQueues`.
 */
export async function openRetryingConsumer(
  connection: Connection,
  options: RetryOptions,
  handler: RetryHandler,
): Promise<RetryingConsumer> {
  const internals = internalsOf(connection);
  checkRetryQueues(options);
  aFunction(handler, "handler");
  refuseLending(options, "publishes bodies again after their handler failed");
  if (options.shouldRetry !== undefined) aFunction(options.shouldRetry, "shouldRetry");
  const { maxRedeliveries } = options;
  if (maxRedeliveries !== undefined && !(maxRedeliveries >= 0))
    throw illegal("maxRedeliveries", "0 or more", maxRedeliveries);
  const { queue, delays, parkingQueue, queueType, declare = true, ...more } = options;
  const { shouldRetry: _, maxRedeliveries: __, ...consume } = more;
  if (declare) {
    const channel = await connection.openChannel({ signal: options.signal });
    try {
      await declareRetryQueues(channel, { queue, delays, parkingQueue, queueType });
    } finally {
      await channel.close();
    }
  }
  // Copies are as persistent as the message was.
  const publisher = await connection.openPublisher({ mandatory: true, persistent: false, signal: options.signal });
  const retrying = new Retrying(publisher, internals, options, handler);
  try {
    const consumer = await connection.openConsumer({ ...consume, queue, settle: "manual" }, (delivery) =>
      retrying.attempt(delivery),
    );
    retrying.consumer = consumer;
    return new RetryingConsumer(consumer, publisher, retrying);
  } catch (error) {
    void publisher.close();
    throw error;
  }
}

/** A consumer that tries again. */
export class RetryingConsumer {
  /** The consumer below: its state, its tag, how it ended, `pause` and `resume`. */
  readonly consumer: Consumer;
  readonly #publisher: Publisher;
  readonly #retrying: { readonly counters: RetryCounters };
  #closing: Promise<ConsumerClosed> | undefined;

  /** `openRetryingConsumer` is the way in. */
  constructor(consumer: Consumer, publisher: Publisher, retrying: { readonly counters: RetryCounters }) {
    this.consumer = consumer;
    this.#publisher = publisher;
    this.#retrying = retrying;
  }

  /** What became of messages so far. */
  get counters(): RetryCounters {
    return this.#retrying.counters;
  }

  /** Takes no more messages, and waits for handlers, as `Consumer.close`; what failed is on its way then. */
  async close(options?: { readonly drain?: Millis | undefined }): Promise<ConsumerClosed> {
    if (options?.drain !== undefined) patience(options.drain, "drain");
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /** Closes the consumer, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => {});
  }

  async #close(options: { readonly drain?: Millis | undefined } | undefined): Promise<ConsumerClosed> {
    const closed = await this.consumer.close(options);
    await closeAfterHandlers(this.#publisher);
    return closed;
  }
}

/** The attempts of one consumer. Nothing that happens to one message is thrown. */
class Retrying {
  readonly counters: { handled: number; retried: number; parked: number } = { handled: 0, retried: 0, parked: 0 };
  /** Whose messages these are, once it has started. */
  consumer: Consumer | undefined;
  readonly #publisher: Publisher;
  readonly #internals: ConnectionInternals;
  readonly #options: RetryOptions;
  readonly #handler: RetryHandler;

  constructor(publisher: Publisher, internals: ConnectionInternals, options: RetryOptions, handler: RetryHandler) {
    this.#publisher = publisher;
    this.#internals = internals;
    this.#options = options;
    this.#handler = handler;
  }

  async attempt(delivery: ConsumerDelivery): Promise<void> {
    do {
      try {
        return await this.#attempt(delivery);
      } catch (error) {
        // The copy was refused: a queue is full, or gone.
        this.#internals.report(error);
      }
      if (delivery.outstanding) await this.#pause();
    } while (delivery.outstanding && (this.consumer === undefined || this.consumer.state === "consuming"));
    settle(delivery, () => delivery.nack());
  }

  /** @throws what keeps a copy from being published. */
  async #attempt(delivery: ConsumerDelivery): Promise<void> {
    const { delays, maxRedeliveries = defaultMaxRedeliveries } = this.#options;
    const state = retryStateOf(delivery);
    const delay = delays[state.attempt - 1];
    if (deliveryCountOf(delivery) > maxRedeliveries) return this.#park(delivery, state);
    try {
      await this.#handler(delivery, { ...state, isLast: delay === undefined });
    } catch (error) {
      this.#internals.report(error);
      if (delay === undefined || !this.#mayPass(error, delivery)) return this.#park(delivery, state);
      return this.#retry(delivery, state, delay);
    }
    this.counters.handled += 1;
    settle(delivery, () => delivery.ack());
  }

  async #retry(delivery: ConsumerDelivery, { attempt }: RetryState, delay: Millis): Promise<void> {
    if (await this.#copy(delayQueueOf(this.#options.queue, delay), delivery, attempt)) this.counters.retried += 1;
  }

  async #park(delivery: ConsumerDelivery, { attempt }: RetryState): Promise<void> {
    if (await this.#copy(parkingQueueOf(this.#options), delivery, attempt)) this.counters.parked += 1;
  }

  /** Resolves with whether the copy is where it was to go. */
  async #copy(routingKey: string, delivery: ConsumerDelivery, failed: number): Promise<boolean> {
    try {
      await this.#copyTo(routingKey, delivery, retryProperties(delivery, this.#options.queue, failed));
      return true;
    } catch (error) {
      if (!(error instanceof UsageError) || error.code !== "INVALID_ARGUMENT") throw error;
      await this.#parkBare(delivery, failed, error);
      return false;
    }
  }

  async #copyTo(routingKey: string, delivery: ConsumerDelivery, properties: BasicProperties): Promise<void> {
    // It was settled by the handler, or is with somebody else by now.
    if (!delivery.outstanding) return;
    await this.#publisher.publish(delivery.body, { exchange: "", routingKey, properties });
    settle(delivery, () => delivery.ack());
  }

  /**
   * A message that filled its frame has no room for the headers of a retry, however often it is tried: it is put aside
   * without its own.
   */
  async #parkBare(delivery: ConsumerDelivery, failed: number, cause: UsageError): Promise<void> {
    const { queue } = this.#options;
    const text = "A message has no room for the headers of a retry; it is put aside without its own";
    this.#internals.report(new UsageError("INVALID_ARGUMENT", text, { cause }));
    await this.#copyTo(parkingQueueOf(this.#options), delivery, bareRetryProperties(delivery, queue, failed));
    this.counters.parked += 1;
  }

  #mayPass(error: unknown, delivery: ConsumerDelivery): boolean {
    const { shouldRetry } = this.#options;
    if (shouldRetry === undefined) return !(error instanceof CodecError);
    return answerOf(() => shouldRetry(error, delivery), true, this.#internals.report);
  }

  async #pause(): Promise<void> {
    const over = new Future<void>();
    this.#internals.deadlines.start(pauseAfterFailure, { expire: () => over.resolve() });
    await over.promise;
  }
}

function settle(delivery: ConsumerDelivery, settleIt: () => unknown): void {
  if (delivery.outstanding) settleIt();
}
