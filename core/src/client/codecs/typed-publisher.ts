/** Publishers of values. */

import type { Millis } from "../../engine/config.ts";
import { ChannelError } from "../../engine/errors.ts";
import { type Outcome, UsageError } from "../../wire/errors.ts";
import { publishBatch } from "../batch.ts";
import { type Connection, internalsOf } from "../connection.ts";
import type { Deadlines } from "../deadlines.ts";
import { AbortError, type EndError, endedWith, TimeoutError } from "../errors.ts";
import { Future, isThenable, onAbort } from "../futures.ts";
import { illegal, patience } from "../option-checks.ts";
import type { OutgoingProperties } from "../outgoing-properties.ts";
import { defaultCloseTimeout, type Publisher } from "../publisher.ts";
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
  const { deadlines } = internalsOf(connection);
  return new TypedPublisher(await connection.openPublisher(options), codec, deadlines, options.timeout);
}

/** Publishes values, in the order of the calls. */
export class TypedPublisher<T> {
  /** The publisher below: its state, its listeners, bytes as they are. */
  readonly publisher: Publisher;
  readonly #codec: Codec<T>;
  readonly #deadlines: Deadlines;
  /** Of a value that has none of its own. */
  readonly #timeout: Millis | undefined;
  /** The value that was published last, while a codec that takes its time encodes it or those before. */
  #last: Promise<unknown> | undefined;
  #encoding = 0;
  /** Who waits for a codec, and hears of the channel's end. */
  readonly #waiting = new Set<Future<never>>();
  #makeEnd: (() => Error) | undefined;
  #closing: Promise<void> | undefined;

  /** `openTypedPublisher` is the way in. */
  constructor(publisher: Publisher, codec: Codec<T>, deadlines: Deadlines, timeout?: Millis) {
    this.publisher = publisher;
    this.#codec = codec;
    this.#deadlines = deadlines;
    this.#timeout = timeout;
    void publisher.closed.then((end) => this.#ended(end));
  }

  /**
   * Publishes a value, as `Publisher.publish`.
   *
   * @throws CodecError ENCODE_FAILED, before anything was sent; LIMIT_REACHED when 1000 values wait for a codec that takes
   * its time; as `Publisher.publish`. The time that encoding takes counts.
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
   * @throws CodecError ENCODE_FAILED, TimeoutError and AbortError, before anything was sent; BatchError as `publishBatch`.
   */
  async publishBatch(values: readonly T[], options: TypedPublishOptions = {}): Promise<void> {
    if (!Array.isArray(values)) throw illegal("values", "an array", values);
    const { timeout, signal, properties, ...more } = options;
    const left = this.#timeLeft(timeout);
    const encoding = Promise.all(values.map(async (value) => encodeMessage(this.#codec, value, properties)));
    const messages = await this.#within(encoding, { timeout, signal }, "not-sent");
    await this.#within(this.#last, { timeout: left(), signal }, "not-sent");
    await publishBatch(
      this.publisher,
      messages.map((message) => ({ ...more, ...message })),
      { timeout: left(), signal },
    );
  }

  /** Resolves when everything that was published before is confirmed, as `Publisher.flush`. */
  async flush({ timeout, signal }: WaitOptions = {}): Promise<void> {
    const left = this.#timeLeft(timeout);
    await this.#within(this.#last, { timeout, signal }, "unknown");
    await this.publisher.flush({ timeout: left(), signal });
  }

  /**
   * Waits for what is unconfirmed, and closes the channel, as `Publisher.close`. The time that encoding takes counts; what
   * is not encoded by then is not sent.
   */
  async close({ timeout = defaultCloseTimeout }: { readonly timeout?: Millis | undefined } = {}): Promise<void> {
    patience(timeout, "timeout");
    this.#closing ??= this.#close(timeout);
    return this.#closing;
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
    const before = this.#last;
    const sent = this.#sendAfter(before, message, options);
    // Whoever gives up lets nobody behind it overtake those before.
    const last: Promise<unknown> = Promise.allSettled([sent, before]).then(() => {
      if (this.#last === last) this.#last = undefined;
    });
    this.#last = last;
    this.#encoding += 1;
    // What was given up counts as long as its codec has it.
    void Promise.allSettled([sent, message]).then(() => {
      this.#encoding -= 1;
    });
    const { confirmed } = await sent;
    return confirmed;
  }

  async #sendAfter(
    before: Promise<unknown> | undefined,
    message: Promise<EncodedMessage>,
    options: TypedPublishOptions,
  ): Promise<{ readonly confirmed: Promise<void> }> {
    const { timeout = this.#timeout, signal } = options;
    const left = this.#timeLeft(timeout);
    const [encoded] = await this.#within(Promise.allSettled([message, before]), { timeout, signal }, "not-sent");
    if (encoded.status === "rejected") throw encoded.reason;
    return { confirmed: this.#send(encoded.value, { ...options, timeout: left() }) };
  }

  async #close(timeout: Millis): Promise<void> {
    const left = this.#timeLeft(timeout);
    try {
      await this.#within(this.#last, { timeout }, "unknown");
    } finally {
      await this.publisher.close({ timeout: left() ?? timeout });
    }
  }

  /** What a promise comes to, unless patience or the channel ends first. */
  async #within<V>(promise: Promise<V>, options: WaitOptions, outcome: Outcome): Promise<V>;
  async #within<V>(promise: Promise<V> | undefined, options: WaitOptions, outcome: Outcome): Promise<V | undefined>;
  async #within<V>(
    promise: Promise<V> | undefined,
    { timeout, signal }: WaitOptions,
    outcome: Outcome,
  ): Promise<V | undefined> {
    if (promise === undefined) return undefined;
    const limit = new Future<never>();
    const expire = (): void => limit.fail(() => new TimeoutError("A codec took too long", outcome));
    const deadline = timeout === undefined ? undefined : this.#deadlines.start(timeout, { expire });
    if (signal?.aborted === true) limit.fail(() => new AbortError(signal.reason, outcome));
    if (this.#makeEnd !== undefined) limit.fail(this.#makeEnd);
    const stopListening = onAbort(signal, (reason) => limit.fail(() => new AbortError(reason, outcome)));
    this.#waiting.add(limit);
    try {
      return await Promise.race([promise, limit.promise]);
    } finally {
      this.#waiting.delete(limit);
      deadline?.cancel();
      stopListening();
    }
  }

  /** How much of a timeout is left when it is asked. */
  #timeLeft(timeout: Millis | undefined): () => Millis | undefined {
    if (timeout === undefined) return () => undefined;
    const until = this.#deadlines.now + timeout;
    return () => until - this.#deadlines.now;
  }

  /** The channel is closed for good: nobody is to wait for a codec any more. */
  #ended(end: EndError | undefined): void {
    const makeEnd = (): Error => {
      return endedWith(end ?? new ChannelError("CHANNEL_CLOSED", "The publisher was closed by the client"), "not-sent");
    };
    this.#makeEnd = makeEnd;
    for (const limit of this.#waiting) limit.fail(makeEnd);
  }
}
