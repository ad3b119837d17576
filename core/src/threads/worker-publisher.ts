/** A publisher in a thread that has no connection: the counterpart of the client's `Publisher`, on a worker's channel. */

import { AbortError, FlushError } from "../client/errors.ts";
import { Future, onAbort } from "../client/futures.ts";
import { Listeners } from "../client/listeners.ts";
import { encodeProperties, type OutgoingProperties } from "../client/outgoing-properties.ts";
import type { PublisherEvents } from "../client/publisher.ts";
import {
  defaultMaxUnconfirmed,
  defaultMaxUnconfirmedBytes,
  type PublisherOptions,
  type PublishOptions,
} from "../client/publisher-options.ts";
import { illegal } from "../client/option-checks.ts";
import type { AmqpError } from "../wire/errors.ts";
import { EncodedProperties } from "../wire/properties.ts";
import { checkPublishItem, type ThreadPublishOptions } from "./publish-item.ts";
import type { WorkerChannel } from "./worker-channel.ts";

/** Failures of `send` that are kept for `flush`. */
const keptFailures = 100;

/** Options of a publisher in a worker: as of the client's. */
export type WorkerPublisherOptions = Omit<PublisherOptions, "confirm" | "signal">;

/** Options of one message. */
export interface WorkerPublishOptions extends PublishOptions, Pick<ThreadPublishOptions, "transfer"> {}

/**
 * Makes a publisher of a worker's channel, which gets confirms for good. The channel stays the worker's: closing it ends
 * the publisher.
 *
 * @throws UsageError for options that make no sense; what `confirmSelect` throws.
 */
export async function openWorkerPublisher(
  channel: WorkerChannel,
  options: WorkerPublisherOptions = {},
): Promise<WorkerPublisher> {
  const publisher = new WorkerPublisher(channel, options);
  if (channel.mode !== "confirm") await channel.confirmSelect();
  return publisher;
}

/** Publishes with confirms from a worker. */
export class WorkerPublisher {
  readonly #channel: WorkerChannel;
  readonly #options: WorkerPublisherOptions;
  readonly #defaults: OutgoingProperties;
  readonly #encoded: EncodedProperties;
  readonly #maxUnconfirmed: number;
  readonly #maxUnconfirmedBytes: number;
  readonly #listeners: Listeners<Pick<PublisherEvents, "failed">>;
  /** Each resolves when its message is settled, and never rejects. */
  readonly #pending = new Set<Promise<void>>();
  #bytes = 0;
  #ready: Future<void> | undefined;
  #failures: AmqpError[] = [];
  #failed = 0;

  /** `openWorkerPublisher` is the way in. */
  constructor(channel: WorkerChannel, options: WorkerPublisherOptions) {
    const { properties, persistent = true } = options;
    this.#channel = channel;
    this.#options = options;
    this.#maxUnconfirmed = positive(options.maxUnconfirmed ?? defaultMaxUnconfirmed, "maxUnconfirmed");
    this.#maxUnconfirmedBytes = positive(
      options.maxUnconfirmedBytes ?? defaultMaxUnconfirmedBytes,
      "maxUnconfirmedBytes",
    );
    this.#defaults = persistent ? { deliveryMode: 2, ...properties } : (properties ?? {});
    this.#encoded = encodeProperties(this.#defaults);
    this.#listeners = new Listeners<Pick<PublisherEvents, "failed">>(channel.report);
  }

  /** Messages that wait for their confirm. */
  get unconfirmed(): number {
    return this.#pending.size;
  }

  /** Adds a listener of messages of {@link send} that were not confirmed; the returned function removes it. */
  on(name: "failed", listener: (value: PublisherEvents["failed"]) => unknown): () => void {
    return this.#listeners.on(name, listener);
  }

  /**
   * Publishes a message. Resolves when the server has taken it.
   *
   * @throws as `WorkerChannel.basicPublish`: NackError, and UnroutableError for a mandatory message, with any number of
   * them under way.
   */
  publish(body: Uint8Array, options: WorkerPublishOptions = {}): Promise<void> {
    try {
      return this.#publish(this.#message(body, options), body.length);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /**
   * Publishes a message without a promise. Returns false when there is no room for more: then wait for {@link ready}.
   * What is not confirmed makes {@link flush} reject, and is told to the listeners of `failed`.
   *
   * @throws UsageError for what cannot be sent. What only the other thread can tell is a failure.
   */
  send(body: Uint8Array, options: Omit<WorkerPublishOptions, "timeout" | "signal"> = {}): boolean {
    const message = this.#message(body, options);
    this.#publish(message, body.length).catch((error: AmqpError) => {
      this.#failed += 1;
      if (this.#failures.length < keptFailures) this.#failures.push(error);
      this.#listeners.emit("failed", { error, message });
    });
    return this.#hasRoom;
  }

  /** Resolves when there is room, or when nothing is under way because the channel has ended. */
  ready(): Promise<void> {
    if (this.#hasRoom) return Promise.resolve();
    this.#ready ??= new Future<void>();
    return this.#ready.promise;
  }

  /**
   * Resolves when everything that was published before is settled.
   *
   * @throws FlushError when messages of {@link send} failed since the last flush; AbortError.
   */
  async flush({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (signal?.aborted === true) throw new AbortError(signal.reason, "unknown");
    const given = new Future<void>();
    const stop = signal && onAbort(signal, () => given.fail(() => new AbortError(signal.reason, "unknown")));
    try {
      await Promise.race([Promise.all(this.#pending), given.promise]);
    } finally {
      stop?.();
    }
    if (this.#failed === 0) return;
    const [failed, failures] = [this.#failed, this.#failures];
    this.#failed = 0;
    this.#failures = [];
    throw new FlushError(
      failed,
      failures,
      failures.some(({ outcome }) => outcome === "unknown") ? "unknown" : "refused",
    );
  }

  /** Waits for what is unconfirmed, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.flush();
  }

  #publish(message: ThreadPublishOptions, size: number): Promise<void> {
    const published = this.#channel.basicPublish(message);
    this.#bytes += size;
    const settled = (): void => {
      this.#pending.delete(pending);
      this.#bytes -= size;
      if (this.#ready === undefined || !this.#hasRoom) return;
      this.#ready.resolve();
      this.#ready = undefined;
    };
    const pending = published.then(settled, settled);
    this.#pending.add(pending);
    return published;
  }

  /** @throws UsageError for what cannot be sent, as far as this thread can tell. */
  #message(body: Uint8Array, options: WorkerPublishOptions): ThreadPublishOptions {
    const { exchange = "", routingKey = "", mandatory = false, timeout } = this.#options;
    const message: ThreadPublishOptions = {
      exchange: options.exchange ?? exchange,
      routingKey: options.routingKey ?? routingKey,
      mandatory: options.mandatory ?? mandatory,
      properties: this.#properties(options.properties),
      timeout: options.timeout ?? timeout,
      signal: options.signal,
      transfer: options.transfer,
      body,
    };
    checkPublishItem(message);
    return message;
  }

  #properties(own: WorkerPublishOptions["properties"]): EncodedProperties {
    if (own === undefined) return this.#encoded;
    if (own instanceof EncodedProperties) return own;
    return encodeProperties({ ...this.#defaults, ...own });
  }

  get #hasRoom(): boolean {
    return this.#pending.size < this.#maxUnconfirmed && this.#bytes < this.#maxUnconfirmedBytes;
  }
}

function positive(value: number, name: string): number {
  if (typeof value !== "number" || !(value >= 1)) throw illegal(name, "a positive number", value);
  return value;
}
