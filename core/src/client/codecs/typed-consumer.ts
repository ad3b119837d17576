/** Consumers of values: what a codec cannot decode does not reach the application's handler. */

import { UsageError } from "../../wire/errors.ts";
import { type Connection, internalsOf } from "../connection.ts";
import type { Consumer, ConsumerClosed, IterableConsumer } from "../consumer.ts";
import { refuseLending } from "../consuming.ts";
import type { ConsumeOptions, DeliveryHandler, HandlerOptions } from "../consumer-options.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import type { TakeOptions } from "../delivery-queue.ts";
import { isThenable } from "../futures.ts";
import { illegal } from "../option-checks.ts";
import type { Millis } from "../../engine/config.ts";
import { type Codec, checkCodec, decodeMessage } from "./codec.ts";
import { CodecError } from "./codec-error.ts";

/** How values come out of messages. */
export interface DecodingOptions<T> {
  readonly codec: Codec<T>;
  /**
   * What happens to a message that is not what the codec decodes. `"reject"`, the default: it goes to the queue's
   * dead-letter exchange, or nowhere, and the error is reported as the connection's `callback-error`. (A message of a
   * stream, where nothing can be rejected, is acknowledged.) A function decides for itself: with automatic settling the
   * message is acknowledged when it returns and refused when it throws, unless the function settled it; in a loop, and
   * with `settle: "manual"`, the function settles.
   */
  readonly undecodable?: "reject" | ((error: CodecError, delivery: ConsumerDelivery) => unknown) | undefined;
}

/** Takes one value. The delivery is there for its properties, and to be settled by hand. */
export type ValueHandler<T> = (value: T, delivery: ConsumerDelivery) => unknown;

/** A value with the message that it came in. */
export interface DecodedDelivery<T> {
  readonly value: T;
  readonly delivery: ConsumerDelivery;
}

/**
 * Starts a consumer of values, with a channel of its own: as `Connection.openConsumer`, with a handler or to be iterated
 * over. With a codec that takes its time, handlers begin in the order in which values are decoded; `concurrency: 1` keeps
 * that of the queue.
 *
 * @throws as `Connection.openConsumer`; UsageError for what is not a codec.
 */
export function openTypedConsumer<T>(
  connection: Connection,
  options: Omit<HandlerOptions, "lendBody"> & DecodingOptions<T>,
  handler: ValueHandler<T>,
): Promise<Consumer>;
export function openTypedConsumer<T>(
  connection: Connection,
  options: ConsumeOptions & DecodingOptions<T>,
): Promise<TypedIterableConsumer<T>>;
export async function openTypedConsumer<T>(
  connection: Connection,
  options: Omit<HandlerOptions, "lendBody"> & DecodingOptions<T>,
  handler?: ValueHandler<T>,
): Promise<Consumer | TypedIterableConsumer<T>> {
  const { codec, undecodable = "reject", ...consume } = options;
  const { report } = internalsOf(connection);
  checkCodec(codec, "codec");
  refuseLending(options, "decodes bodies, which may take longer than a call");
  if (undecodable !== "reject" && typeof undecodable !== "function") {
    throw illegal("undecodable", '"reject" or a function', undecodable);
  }
  const refuse = undecodable === "reject" ? rejecting(report) : undecodable;
  if (handler === undefined) return new TypedIterableConsumer(await connection.openConsumer(consume), codec, refuse);
  if (typeof handler !== "function") throw new UsageError("INVALID_ARGUMENT", "The handler is not a function");
  return connection.openConsumer(consume, decoding(codec, handler, refuse));
}

/**
 * A consumer of values to iterate over: `for await (const { value, delivery } of consumer)`. As with `IterableConsumer`,
 * each message is to be settled by whoever takes it.
 */
export class TypedIterableConsumer<T> implements AsyncIterable<DecodedDelivery<T>> {
  /** The consumer below: its state, its tag, how it ended, `pause` and `resume`. */
  readonly consumer: IterableConsumer;
  readonly #codec: Codec<T>;
  readonly #refuse: Refusal;

  /** `openTypedConsumer` is the way in. */
  constructor(consumer: IterableConsumer, codec: Codec<T>, refuse: Refusal) {
    this.consumer = consumer;
    this.#codec = codec;
    this.#refuse = refuse;
  }

  /**
   * The next value, as `IterableConsumer.take`. The time limit begins again after a message that could not be decoded.
   *
   * @throws as `IterableConsumer.take`; what the function for undecodable messages throws.
   */
  async take(options: TakeOptions = {}): Promise<DecodedDelivery<T> | undefined> {
    for (;;) {
      const delivery = await this.consumer.take(options);
      if (delivery === undefined) return undefined;
      const decoded = await this.#decode(delivery);
      if (decoded !== undefined) return decoded;
    }
  }

  /** As `Consumer.cancel`. */
  cancel(): Promise<number> {
    return this.consumer.cancel();
  }

  /** As `Consumer.close`. */
  close(options?: { readonly drain?: Millis | undefined }): Promise<ConsumerClosed> {
    return this.consumer.close(options);
  }

  /** Closes the consumer, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.consumer[Symbol.asyncDispose]();
  }

  /** Takes messages one by one, decoded; leaving the loop cancels the consumer. */
  async *[Symbol.asyncIterator](): AsyncGenerator<DecodedDelivery<T>, undefined> {
    for await (const delivery of this.consumer) {
      const decoded = await this.#decode(delivery);
      if (decoded !== undefined) yield decoded;
    }
    return undefined;
  }

  async #decode(delivery: ConsumerDelivery): Promise<DecodedDelivery<T> | undefined> {
    let value: T;
    try {
      value = await decodeMessage(this.#codec, delivery);
    } catch (error) {
      await this.#refuse(error as CodecError, delivery);
      return undefined;
    }
    return { value, delivery };
  }
}

type Refusal = (error: CodecError, delivery: ConsumerDelivery) => unknown;

/** The handler of messages that calls one of values. A codec that works at once costs no promise. */
function decoding<T>(codec: Codec<T>, handler: ValueHandler<T>, refuse: Refusal): DeliveryHandler {
  return (delivery) => {
    let value: T | Promise<T>;
    try {
      value = decodeMessage(codec, delivery);
    } catch (error) {
      return refuse(error as CodecError, delivery);
    }
    if (!isThenable(value)) return handler(value, delivery);
    return Promise.resolve(value).then(
      (decoded) => handler(decoded, delivery),
      (error: unknown) => refuse(error as CodecError, delivery),
    );
  };
}

function rejecting(report: (error: unknown) => void): Refusal {
  return (error, delivery) => {
    report(error);
    if (!delivery.outstanding) return;
    if (isFromStream(delivery)) delivery.ack();
    else delivery.reject({ requeue: false });
  };
}

/** RabbitMQ up to 3.12 closes the connection (540) when a message of a stream is rejected. */
function isFromStream(delivery: ConsumerDelivery): boolean {
  try {
    return delivery.properties.headers?.["x-stream-offset"] !== undefined;
  } catch {
    // They do not parse; what they would say is not known.
    return false;
  }
}
