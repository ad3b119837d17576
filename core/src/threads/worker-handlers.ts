/** Runs handlers in a worker: so many at a time, the rest waits, and what they return settles their deliveries. */

import type { HandlerOptions } from "../client/consumer-options.ts";
import { Future, isThenable } from "../client/futures.ts";
import { answerOf } from "../client/listeners.ts";
import { Deque } from "../engine/deque.ts";
import type { WorkerConsumerDelivery } from "./worker-delivery.ts";

/** Takes one message. The message is handled when the function returns, or when its promise is fulfilled. */
export type WorkerHandler = (delivery: WorkerConsumerDelivery) => unknown;

/** What the runner is told. */
export interface WorkerHandlersOptions {
  readonly handler: WorkerHandler;
  readonly concurrency: number;
  readonly settle: NonNullable<HandlerOptions["settle"]>;
  readonly requeue: boolean | ((error: unknown, delivery: WorkerConsumerDelivery) => boolean);
  /** Takes what a handler threw. */
  readonly report: (error: unknown) => void;
  /** A delivery was given to a handler: another one may come. */
  readonly taken: (delivery: WorkerConsumerDelivery) => void;
  /** A handler is done, and has settled what it settles. */
  readonly done?: (delivery: WorkerConsumerDelivery) => void;
}

export class WorkerHandlers {
  readonly #options: WorkerHandlersOptions;
  readonly #waiting = new Deque<WorkerConsumerDelivery>();
  #running = 0;
  #paused = false;
  #idle: Future<void> | undefined;

  constructor(options: WorkerHandlersOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get paused(): boolean {
    return this.#paused;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    this.#pump();
  }

  push(delivery: WorkerConsumerDelivery): void {
    this.#waiting.push(delivery);
    this.#pump();
  }

  /** Takes out what waits. */
  drain(): readonly WorkerConsumerDelivery[] {
    return this.#waiting.drain();
  }

  /** Resolves when no handler runs, and none is about to. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    this.#idle ??= new Future<void>();
    return this.#idle.promise;
  }

  get #isIdle(): boolean {
    return this.#running === 0 && (this.#waiting.size === 0 || this.#paused);
  }

  #pump(): void {
    while (!this.#paused && this.#running < this.#options.concurrency) {
      const delivery = this.#waiting.shift();
      if (delivery === undefined) break;
      this.#run(delivery);
    }
    if (!this.#isIdle) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #run(delivery: WorkerConsumerDelivery): void {
    this.#running += 1;
    this.#options.taken(delivery);
    let result: unknown;
    try {
      result = this.#options.handler(delivery);
    } catch (error) {
      return this.#failed(delivery, error);
    }
    if (!isThenable(result)) return this.#succeeded(delivery);
    Promise.resolve(result).then(
      () => {
        this.#succeeded(delivery);
        this.#pump();
      },
      (error: unknown) => {
        this.#failed(delivery, error);
        this.#pump();
      },
    );
  }

  #succeeded(delivery: WorkerConsumerDelivery): void {
    if (this.#options.settle === "auto" && delivery.outstanding) void delivery.ack();
    this.#finished(delivery);
  }

  #failed(delivery: WorkerConsumerDelivery, error: unknown): void {
    this.#options.report(error);
    if (this.#options.settle === "auto" && delivery.outstanding) {
      const requeue = this.#requeues(delivery, error);
      // The policy is the application's too, and may have settled it.
      if (delivery.outstanding) void delivery.nack({ requeue });
    }
    this.#finished(delivery);
  }

  #finished(delivery: WorkerConsumerDelivery): void {
    this.#running -= 1;
    this.#options.done?.(delivery);
  }

  #requeues(delivery: WorkerConsumerDelivery, error: unknown): boolean {
    const { requeue, report } = this.#options;
    return typeof requeue === "boolean" ? requeue : answerOf(() => requeue(error, delivery), true, report);
  }
}
