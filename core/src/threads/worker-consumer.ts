/** A consumer that a worker started: the connection's thread consumes, the worker handles. */

import type { ConsumerEnd } from "../client/consumer-options.ts";
import { Future } from "../client/futures.ts";
import { unpackError } from "./pack-errors.ts";
import type { PackedEnd } from "./protocol.ts";
import type { WorkerConsumerDelivery } from "./worker-delivery.ts";
import type { WorkerHandlers } from "./worker-handlers.ts";

/** Why a worker's consumer gets no more messages: as in the connection's thread, or because its port is closed. */
export type WorkerConsumerEnd = ConsumerEnd | { readonly type: "port-closed" };

/** What a consumer needs of its channel. */
export interface WorkerConsumerHost {
  /** Cancels it in the other thread. Resolves with how many messages went back there. */
  cancel(): Promise<number>;
  /** Resolves when all that was sent before has arrived. */
  flushed(): Promise<void>;
}

/** A consumer of a queue, in a worker. */
export class WorkerConsumer {
  readonly consumerTag: string;
  readonly queue: string;
  readonly noAck: boolean;
  readonly #handlers: WorkerHandlers;
  readonly #host: WorkerConsumerHost;
  readonly #ended = new Future<WorkerConsumerEnd>();
  #cancelling: Promise<number> | undefined;
  #requeued = 0;
  #state: "consuming" | "cancelling" | "ended" = "consuming";

  /** @internal */
  constructor(
    about: { readonly consumerTag: string; readonly queue: string; readonly noAck: boolean },
    handlers: WorkerHandlers,
    host: WorkerConsumerHost,
  ) {
    this.consumerTag = about.consumerTag;
    this.queue = about.queue;
    this.noAck = about.noAck;
    this.#handlers = handlers;
    this.#host = host;
  }

  /** Where the consumer stands. */
  get state(): "consuming" | "cancelling" | "ended" {
    return this.#state;
  }

  /** Messages that arrived in this thread and wait for their handler. */
  get buffered(): number {
    return this.#handlers.waiting;
  }

  /** Handlers that run. */
  get running(): number {
    return this.#handlers.running;
  }

  /** Whether it hands out nothing at the moment. */
  get paused(): boolean {
    return this.#handlers.paused;
  }

  /** Why the consumer gets no more messages. Resolves when it is so, and never rejects. */
  get ended(): Promise<WorkerConsumerEnd> {
    return this.#ended.promise;
  }

  /** Starts no more handlers, until {@link resume}. The other thread sends what fits its window. */
  pause(): void {
    this.#handlers.paused = true;
  }

  /** Starts handlers again. */
  resume(): void {
    this.#handlers.paused = false;
  }

  /**
   * Cancels the consumer. Messages that no handler has taken go back to the queue; with `noAck` they cannot, and are
   * still handed out.
   *
   * @returns how many messages went back, from both threads.
   * @throws ThreadError when the port is closed first: the other thread gives the messages back then.
   */
  cancel(): Promise<number> {
    this.#cancelling ??= this.#cancel();
    return this.#cancelling;
  }

  /** Cancels the consumer, waits for the handlers that run, and until what they settled has arrived. */
  async close(): Promise<{ readonly requeued: number }> {
    const requeued = await this.cancel();
    await this.#handlers.idle();
    await this.#host.flushed();
    return { requeued };
  }

  /** Closes the consumer, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => {});
  }

  async #cancel(): Promise<number> {
    if (this.#state === "ended") return this.#requeued;
    this.#state = "cancelling";
    const there = await this.#host.cancel();
    this.#giveBack();
    this.#finish({ type: "cancelled" });
    return this.#requeued + there;
  }

  /** @internal The other thread says that nothing more comes. */
  endedThere(end: PackedEnd): void {
    if (this.#state === "cancelling") return;
    this.#finish(unpackEnd(end));
  }

  /** @internal The port is closed: what is here is taken back by the other thread. */
  portClosed(): void {
    if (!this.noAck) this.#handlers.drain();
    this.#finish({ type: "port-closed" });
  }

  #finish(end: WorkerConsumerEnd): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#ended.resolve(end);
  }

  #giveBack(): void {
    if (this.noAck) return;
    const waiting: readonly WorkerConsumerDelivery[] = this.#handlers.drain();
    for (const delivery of waiting) {
      if (!delivery.outstanding) continue;
      this.#requeued += 1;
      void delivery.nack();
    }
  }
}

function unpackEnd({ type, error }: PackedEnd): ConsumerEnd {
  return (error === undefined ? { type } : { type, error: unpackError(error) }) as ConsumerEnd;
}
