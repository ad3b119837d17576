/** Publishers of values. */

import type { Millis } from "../../engine/config.ts";
import { UsageError } from "../../wire/errors.ts";
import { publishBatch } from "../batch.ts";
import type { Connection } from "../connection.ts";
import { isThenable } from "../futures.ts";
import { illegal } from "../option-checks.ts";
import type { OutgoingProperties } from "../outgoing-properties.ts";
import type { Publisher } from "../publisher.ts";
import type { PublisherOptions, PublishOptions } from "../publisher-options.ts";
import type { WaitOptions } from "../publishing.ts";
import { type Codec, checkCodec, type EncodedMessage, encodeMessage } from "./codec.ts";

/** Values of one publisher that may be encoded at a time by a codec that takes its time. */
export const maxEncoding = 1000;

/** Options of a publisher of values. */
export interface TypedPublisherOptions<T> extends PublisherOptions {
  readonly codec: Codec<T>;
}

/** Options of one value. The content type and encoding are the codec's. */
export interface TypedPublishOptions extends Omit<PublishOptions, "properties"> {
  readonly properties?: OutgoingProperties | undefined;
}

/**
 * Opens a publisher of values, with a channel of its own: as `Connection.openPublisher`.
 *
 * @throws as `Connection.openPublisher`; UsageError for what is not a codec.
 */
export async function openTypedPublisher<T>(
  connection: Connection,
  { codec, ...options }: TypedPublisherOptions<T>,
): Promise<TypedPublisher<T>> {
  checkCodec(codec, "codec");
  return new TypedPublisher(await connection.openPublisher(options), codec);
}

/** Publishes values, in the order of the calls. */
export class TypedPublisher<T> {
  /** The publisher below: its state, its listeners, bytes as they are. */
  readonly publisher: Publisher;
  readonly #codec: Codec<T>;
  /** The value that was published last, while a codec that takes its time encodes it or those before. */
  #last: Promise<unknown> | undefined;
  #encoding = 0;

  /** `openTypedPublisher` is the way in. */
  constructor(publisher: Publisher, codec: Codec<T>) {
    this.publisher = publisher;
    this.#codec = codec;
  }

  /**
   * Publishes a value, as `Publisher.publish`.
   *
   * @throws CodecError ENCODE_FAILED, before anything was sent; LIMIT_REACHED when 1000 values wait for a codec that takes
   * its time; as `Publisher.publish`.
   */
  publish(value: T, options: TypedPublishOptions = {}): Promise<void> {
    try {
      if (this.#encoding >= maxEncoding) {
        throw new UsageError("LIMIT_REACHED", `${this.#encoding} values wait for their encoding`);
      }
      const message = encodeMessage(this.#codec, value, options.properties);
      if (!isThenable(message) && this.#last === undefined) return this.#send(message, options);
      return this.#sendInTurn(Promise.resolve(message), options);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /**
   * Publishes many values, as `publishBatch`. All of them are encoded before the first one is sent.
   *
   * @throws CodecError ENCODE_FAILED, before anything was sent; BatchError as `publishBatch`.
   */
  async publishBatch(values: readonly T[], options: TypedPublishOptions = {}): Promise<void> {
    if (!Array.isArray(values)) throw illegal("values", "an array", values);
    const { timeout, signal, properties, ...more } = options;
    const messages = await Promise.all(values.map(async (value) => encodeMessage(this.#codec, value, properties)));
    await this.#last;
    await publishBatch(
      this.publisher,
      messages.map((message) => ({ ...more, ...message })),
      { timeout, signal },
    );
  }

  /** Resolves when everything that was published before is confirmed, as `Publisher.flush`. */
  async flush(options: WaitOptions = {}): Promise<void> {
    await this.#last;
    await this.publisher.flush(options);
  }

  /** Waits for what is unconfirmed, and closes the channel, as `Publisher.close`. */
  async close(options?: { readonly timeout?: Millis }): Promise<void> {
    await this.#last;
    await this.publisher.close(options);
  }

  /** Closes the publisher, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #send({ body, properties }: EncodedMessage, options: TypedPublishOptions): Promise<void> {
    return this.publisher.publish(body, { ...options, properties });
  }

  /** A value that is encoded sooner than the one before it waits for that: they leave in the order of the calls. */
  async #sendInTurn(message: Promise<EncodedMessage>, options: TypedPublishOptions): Promise<void> {
    this.#encoding += 1;
    const sent = this.#sendAfter(this.#last, message, options);
    this.#last = sent.then(ignore, ignore);
    const { confirmed } = await sent;
    return confirmed;
  }

  async #sendAfter(
    before: Promise<unknown> | undefined,
    message: Promise<EncodedMessage>,
    options: TypedPublishOptions,
  ): Promise<{ readonly confirmed: Promise<void> }> {
    try {
      const [encoded] = await Promise.allSettled([message, before]);
      if (encoded.status === "rejected") throw encoded.reason;
      return { confirmed: this.#send(encoded.value, options) };
    } finally {
      this.#encoding -= 1;
      if (this.#encoding === 0) this.#last = undefined;
    }
  }
}

const ignore = (): void => {};
