/** The consumers of one channel, by tag. */

import type { DeliverEvent } from "../engine/events.ts";
import { LazyMap } from "../engine/lazy-map.ts";
import { UsageError } from "../wire/errors.ts";
import { copied } from "../wire/table-writer.ts";
import type { Arguments } from "../wire/method-types.ts";
import type { ChannelCore } from "./channel-core.ts";
import { type ConsumeOptions, type ConsumerEnd, defaultPrefetch, type HandlerOptions } from "./consumer-options.ts";
import { AbortError, ConsumerRecoveryError } from "./errors.ts";
import type { Recorder } from "./recording.ts";
import type { CallOptions } from "./replies.ts";
import type { Removal } from "../recovery/topology.ts";
import type { Deadlines } from "./deadlines.ts";
import { Delivery, giveBack } from "./delivery.ts";
import { DeliveryBuffer } from "./delivery-buffer.ts";
import { done } from "./futures.ts";
import { integer, oneOf } from "./option-checks.ts";
import { Subscription, type SubscriptionHost } from "./subscription.ts";

const short = integer(0, 0xffff);
const placeInStream = oneOf("handed-out", "acknowledged");

/** Cancelled consumers that a late delivery is still recognised of. */
const rememberedTags = 64;

export class Subscriptions implements SubscriptionHost {
  readonly #channel: ChannelCore;
  readonly #byTag = new LazyMap<string, Subscription>();
  /** Whether consumers that are gone were consuming without acknowledgements. */
  readonly #gone = new LazyMap<string, boolean>();
  #tagsMade = 0;
  /** What `basicQos` set for consumers to come. */
  #prefetch: number | undefined;
  /** What the server is told last by what was sent; `undefined` when nobody knows. */
  #toldPrefetch: number | undefined = 0;
  /** What it has agreed to. */
  #agreedPrefetch = 0;
  #latest: Subscription | undefined;
  #latestTag = "";

  constructor(channel: ChannelCore) {
    this.#channel = channel;
  }

  get deadlines(): Deadlines {
    return this.#channel.deadlines;
  }

  /** The tags of the consumers that are not cancelled. */
  get tags(): string[] {
    return [...this.#byTag.keys()];
  }

  /** Sets the prefetch of consumers to come, as the application asks for it. */
  async setPrefetch(count: number, signal: AbortSignal | undefined): Promise<void> {
    const ask = (): Promise<void> => this.#tellPrefetch(count, { signal, again: ask });
    await ask();
    this.#prefetch = count;
  }

  find(consumerTag: string): Subscription | undefined {
    // Mostly one consumer gets a whole run of deliveries.
    if (this.#latest !== undefined && this.#latestTag === consumerTag) return this.#latest;
    // Of the delivery: the next one has the same string, where that of the subscription has only the same letters.
    this.#latestTag = consumerTag;
    this.#latest = this.#byTag.get(consumerTag);
    return this.#latest;
  }

  /**
   * Subscribes. `make` is called before the server is asked, since deliveries may come before its answer: it sets the
   * sink of the subscription, and makes what is returned in the end.
   */
  async consume<T>(
    options: ConsumeOptions & Pick<HandlerOptions, "lendBody">,
    make: (subscription: Subscription, prefetch: number) => T,
  ): Promise<T> {
    const { queue, noAck = false, exclusive, noLocal, noWait = false, signal, resumeBehind } = options;
    if (resumeBehind !== undefined) placeInStream(resumeBehind, "resumeBehind");
    const prefetch = this.#prefetchOf(options);
    const consumerTag = this.#tagOf(options);
    const boundedByServer = !noAck && prefetch > 0;
    const buffer = new DeliveryBuffer(this.#channel.host, boundedByServer);
    const { memory } = this.#channel;
    const lendsBody = options.lendBody === true;
    const position = this.#recorder?.streamPosition(memory, options);
    const info = { consumerTag, noAck, lendsBody, position };
    const subscription = new Subscription(info, memory.queueOf(queue), this, buffer);
    const made = make(subscription, prefetch);

    if (signal?.aborted === true) throw new AbortError(signal.reason, "not-sent");
    // A copy: the table is its owner's, who may change it, and recovery sends it again.
    const table = copied(options.arguments ?? {});
    const fields = { queue, consumerTag, noLocal, noAck, exclusive, noWait, arguments: table };
    this.#byTag.set(consumerTag, subscription);
    this.#channel.engine.lendBodies(consumerTag, lendsBody);
    try {
      await this.#start(subscription, fields, noAck ? undefined : prefetch, signal);
      subscription.queue ||= memory.lastDeclared ?? "";
      if (this.#byTag.get(consumerTag) === subscription) {
        subscription.isStarted = true;
        this.#recorder?.topology.consumerStarted({
          channelId: memory.id,
          consumerTag,
          queue: subscription.queue,
          noAck,
          exclusive: exclusive ?? false,
          arguments: table,
          prefetch,
        });
      }
    } catch (error) {
      // A consumer whose caller gave up may come about all the same.
      if (error instanceof AbortError) void subscription.cancel();
      else this.#remove(consumerTag);
      throw error;
    }
    return made;
  }

  async cancel(consumerTag: string, noWait: boolean): Promise<void> {
    const removal = this.#removal(consumerTag);
    const subscription = this.#byTag.get(consumerTag);
    try {
      await this.#channel.cancelConsumer(consumerTag, noWait);
    } catch {
      // The channel is gone, and the consumer with it: no limit refuses to cancel one.
    }
    removal?.done();
    // The server may have cancelled it meanwhile, and the tag be that of another one.
    if (this.#byTag.get(consumerTag) !== subscription) return;
    // Who cancels a consumer in its first delivery is faster than its start is recorded.
    this.#removal(consumerTag)?.done();
    this.#forget(consumerTag);
  }

  cancelledByServer(consumerTag: string): void {
    this.#endOne(consumerTag, { type: "cancelled-by-server" });
  }

  // Recovery

  /** The channel is a new one at the server, and its engine knows nothing of those that borrow bodies. */
  attached(): void {
    for (const { info } of this.all()) this.#channel.engine.lendBodies(info.consumerTag, info.lendsBody);
  }

  /** What the server has agreed to be the prefetch of consumers to come. What it has not is asked for again. */
  get agreedPrefetch(): number {
    return this.#agreedPrefetch;
  }

  /** The channel was lost, and will be recovered. */
  lost(): void {
    this.#toldPrefetch = this.#agreedPrefetch;
    this.#gone.clear();
    for (const subscription of this.all()) subscription.lost();
  }

  queuesRenamed(names: ReadonlyMap<string, string>): void {
    for (const subscription of this.all()) subscription.queue = names.get(subscription.queue) ?? subscription.queue;
  }

  /** A consumer could not be started again. */
  notRecovered(consumerTag: string, cause: unknown): void {
    this.#endOne(consumerTag, { type: "not-recovered", error: new ConsumerRecoveryError(consumerTag, cause) });
  }

  #endOne(consumerTag: string, end: ConsumerEnd): void {
    const subscription = this.#byTag.get(consumerTag);
    this.#removal(consumerTag)?.done();
    this.#forget(consumerTag);
    subscription?.end(end);
  }

  get #recorder(): Recorder | undefined {
    return this.#channel.recorder;
  }

  #removal(consumerTag: string): Removal | undefined {
    return this.#recorder?.topology.removeConsumer({ channelId: this.#channel.memory.id, consumerTag });
  }

  /** The channel is gone, and its consumers with it; what it declared is not. */
  end(end: ConsumerEnd): void {
    const subscriptions = this.all();
    for (const { info } of subscriptions) this.#removal(info.consumerTag)?.done();
    this.#byTag.clear();
    this.#latest = undefined;
    for (const subscription of subscriptions) subscription.end(end);
  }

  /** A delivery for a consumer that is gone: what has to be acknowledged goes back to its queue. */
  stray(event: DeliverEvent): void {
    const { settlement } = this.#channel;
    const noAck = this.#gone.get(event.consumerTag);
    settlement.delivered(event.deliveryTag, noAck === true);
    if (noAck === false) giveBack(new Delivery(event, settlement, noAck));
  }

  all(): Subscription[] {
    return [...this.#byTag.values()];
  }

  #remove(consumerTag: string): void {
    this.#byTag.delete(consumerTag);
    this.#latest = undefined;
    this.#channel.engine.lendBodies(consumerTag, false);
  }

  #forget(consumerTag: string): void {
    const subscription = this.#byTag.get(consumerTag);
    if (subscription === undefined) return;
    this.#remove(consumerTag);
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size < rememberedTags) break;
      this.#gone.delete(oldest);
    }
    this.#gone.set(consumerTag, subscription.info.noAck);
  }

  #prefetchOf({ prefetch, noAck = false }: ConsumeOptions): number {
    if (noAck && prefetch !== undefined) {
      throw new UsageError("INVALID_ARGUMENT", "prefetch limits unacknowledged messages: with noAck there are none");
    }
    if (prefetch !== undefined) short(prefetch, "prefetch");
    // To tell the server another one would lift the limit that all share.
    const told = this.#channel.memory.prefetchGlobal ? this.#toldPrefetch : undefined;
    return noAck ? 0 : (prefetch ?? told ?? this.#prefetch ?? defaultPrefetch);
  }

  /**
   * Asks the server to send what it has for a consumer, with the prefetch that is the consumer's. On a channel that is
   * lost both wait, and are made together: what the server knows then is not what it knows now.
   */
  #start(
    subscription: Subscription,
    fields: Arguments<"basic.consume">,
    prefetch: number | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    // Nobody wants it any more where it was cancelled while it waited.
    if (subscription.state !== "consuming") return done;
    const again = (): Promise<void> => this.#start(subscription, fields, prefetch, signal);
    if (this.#channel.live && prefetch !== undefined && prefetch !== this.#toldPrefetch) {
      // What ends it ends the consumer as well, or has it started again.
      this.#tellPrefetch(prefetch, { again: async () => {} }).catch(() => {});
    }
    if (fields.noWait === true) return this.#channel.tell("basic.consume", fields, again);
    return this.#channel.ask("basic.consume", fields, { signal, value: () => {}, again });
  }

  async #tellPrefetch(prefetchCount: number, options: Pick<CallOptions<void>, "signal" | "again">): Promise<void> {
    if (this.#channel.live) {
      this.#toldPrefetch = prefetchCount;
      // RabbitMQ lifts the limit that all consumers share when it is told one of each.
      this.#channel.memory.prefetchGlobal = 0;
    }
    const value = (): void => {
      this.#agreedPrefetch = prefetchCount;
    };
    const fields = { prefetchSize: 0, prefetchCount, global: false };
    try {
      await this.#channel.ask("basic.qos", fields, { ...options, value });
    } catch (error) {
      // On a channel that is lost it is known.
      if (this.#channel.live) this.#toldPrefetch = undefined;
      throw error;
    }
  }

  #tagOf({ consumerTag }: ConsumeOptions): string {
    if (consumerTag !== undefined && consumerTag !== "") {
      if (this.#byTag.has(consumerTag)) {
        // RabbitMQ would close the whole connection (530).
        throw new UsageError(
          "INVALID_ARGUMENT",
          `Consumer tag ${JSON.stringify(consumerTag)} is in use on the channel`,
        );
      }
      return consumerTag;
    }
    for (;;) {
      this.#tagsMade += 1;
      const made = `ctag${this.#channel.number}.${this.#tagsMade}`;
      if (!this.#byTag.has(made)) return made;
    }
  }
}
