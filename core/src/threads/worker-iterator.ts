/** Deliveries to iterate over, in a thread that has no connection. */

import type { EndError } from "../client/errors.ts";
import { AbortError, ConsumerCancelledError } from "../client/errors.ts";
import { Future, onAbort, rejection } from "../client/futures.ts";
import { ThreadError } from "./thread-error.ts";
import type { WorkerChannel } from "./worker-channel.ts";
import type { WorkerHandlerOptions } from "./worker-consumers.ts";
import type { WorkerConsumer, WorkerConsumerEnd } from "./worker-consumer.ts";
import type { WorkerConsumerDelivery } from "./worker-delivery.ts";

/** Options of a consumer that is iterated over, in a worker. */
export type WorkerIterateOptions = Omit<WorkerHandlerOptions, "concurrency" | "settle" | "requeue">;

/**
 * Starts a consumer in a worker that is iterated over: each message is to be settled by whoever takes it.
 *
 * ```ts
 * for await (const delivery of await iterateDeliveries(channel, { queue })) await delivery.ack();
 * ```
 *
 * @throws as `WorkerChannel.basicConsume`.
 */
export async function iterateDeliveries(
  channel: WorkerChannel,
  options: WorkerIterateOptions,
): Promise<WorkerIterableConsumer> {
  const hand = new Hand(options.noAck === true);
  const consumer = await channel.basicConsume({ ...options, concurrency: 1, settle: "manual" }, (delivery) =>
    hand.offer(delivery),
  );
  return new WorkerIterableConsumer(consumer, hand);
}

/**
 * A consumer of a worker to iterate over. Leaving the loop cancels the consumer, and what was not taken goes back to the
 * queue.
 *
 * The loop ends when the consumer is cancelled or its channel is closed in order; otherwise it throws what ended the
 * consumer: `ConsumerCancelledError`, `ChannelError`, `ConnectionError` or `ThreadError`.
 */
export class WorkerIterableConsumer implements AsyncIterable<WorkerConsumerDelivery> {
  /** The consumer below: its tag, its state, how it ended. */
  readonly consumer: WorkerConsumer;
  readonly #hand: Hand;

  /** `iterateDeliveries` is the way in. */
  constructor(consumer: WorkerConsumer, hand: Hand) {
    this.consumer = consumer;
    this.#hand = hand;
    void consumer.ended.then((end) => hand.ended(end, consumer));
  }

  /**
   * The next message. Resolves with `undefined` when the consumer was cancelled.
   *
   * @throws what ended the consumer; AbortError.
   */
  take({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<WorkerConsumerDelivery | undefined> {
    return this.#hand.take(signal);
  }

  /**
   * Cancels the consumer. Messages that nobody has taken go back to the queue.
   *
   * @returns how many messages went back, from both threads.
   */
  async cancel(): Promise<number> {
    const requeued = await this.consumer.cancel();
    return requeued + this.#hand.giveBack();
  }

  /** Cancels the consumer, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel();
  }

  /** Takes messages one by one; leaving the loop cancels the consumer. */
  [Symbol.asyncIterator](): AsyncIterator<WorkerConsumerDelivery, undefined> {
    return {
      next: async () => {
        const value = await this.#hand.take(undefined);
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: async () => {
        await this.cancel();
        return { done: true, value: undefined };
      },
    };
  }
}

/**
 * Holds one delivery until somebody takes it; the others wait where a handler would be waited for, so the window between
 * the threads is that of any consumer.
 */
class Hand {
  readonly #noAck: boolean;
  readonly #takers = new Set<Future<WorkerConsumerDelivery | undefined>>();
  #held: { readonly delivery: WorkerConsumerDelivery; readonly taken: Future<void> } | undefined;
  #end: WorkerConsumerEnd | undefined;
  #consumer: WorkerConsumer | undefined;
  #requeued = 0;

  constructor(noAck: boolean) {
    this.#noAck = noAck;
  }

  /** The next delivery; the returned promise keeps those behind it waiting. */
  offer(delivery: WorkerConsumerDelivery): Promise<void> | undefined {
    const [taker] = this.#takers;
    if (this.#isGood(delivery)) {
      if (taker === undefined) {
        const taken = new Future<void>();
        this.#held = { delivery, taken };
        return taken.promise;
      }
      this.#takers.delete(taker);
      taker.resolve(delivery);
    }
    // Otherwise it was lost with its connection while it waited, and comes again.
    this.#checkOver();
    return undefined;
  }

  take(signal: AbortSignal | undefined): Promise<WorkerConsumerDelivery | undefined> {
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    const delivery = this.#letGo();
    if (delivery !== undefined && this.#isGood(delivery)) return Promise.resolve(delivery);
    if (this.#isOver) return this.#ending();
    const taker = new Future<WorkerConsumerDelivery | undefined>();
    this.#takers.add(taker);
    if (signal === undefined) return taker.promise;
    const stop = onAbort(signal, () => {
      this.#takers.delete(taker);
      taker.fail(() => new AbortError(signal.reason, "not-sent"));
    });
    return taker.promise.finally(stop);
  }

  ended(end: WorkerConsumerEnd, consumer: WorkerConsumer): void {
    this.#end = end;
    this.#consumer = consumer;
    this.giveBack();
    this.#checkOver();
  }

  /** What nobody has taken goes back, where it can. Returns how many have gone back. */
  giveBack(): number {
    // Messages that need no acknowledgement, and those of a queue that was deleted, are the consumer's all the same.
    if (this.#noAck || this.#end?.type === "cancelled-by-server") return 0;
    const delivery = this.#letGo();
    if (delivery?.outstanding === true) {
      this.#requeued += 1;
      void delivery.nack();
    }
    return this.#requeued;
  }

  #checkOver(): void {
    if (!this.#isOver) return;
    for (const taker of this.#takers) taker.resolve(this.#ending());
    this.#takers.clear();
  }

  #letGo(): WorkerConsumerDelivery | undefined {
    const held = this.#held;
    this.#held = undefined;
    held?.taken.resolve();
    return held?.delivery;
  }

  #isGood(delivery: WorkerConsumerDelivery): boolean {
    return this.#noAck || delivery.outstanding;
  }

  get #isOver(): boolean {
    return this.#end !== undefined && this.#held === undefined && this.#consumer?.buffered === 0;
  }

  #ending(): Promise<undefined> {
    const end = this.#end as WorkerConsumerEnd;
    switch (end.type) {
      case "cancelled-by-server":
        return rejection(() => new ConsumerCancelledError(this.#consumer?.consumerTag ?? ""));
      case "lost":
      case "not-recovered":
        return Promise.reject<undefined>(end.error as EndError);
      case "port-closed":
        return rejection(() => new ThreadError("PORT_CLOSED", "The other thread is gone"));
      default:
        return Promise.resolve(undefined);
    }
  }
}
