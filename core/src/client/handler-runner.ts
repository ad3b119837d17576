/** Runs the handler of a consumer: so many at a time, and settles what they return. */

import type { DeliveryHandler, HandlerOptions } from "./consumer-options.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import { isThenable } from "./futures.ts";
import { answerOf, type Report } from "./listeners.ts";
import type { DeliverySink } from "./subscription.ts";

/** What a runner is told, complete. */
export interface RunnerOptions {
  readonly handler: DeliveryHandler;
  readonly concurrency: number;
  readonly settle: "auto" | "manual";
  readonly requeue: NonNullable<HandlerOptions["requeue"]>;
  readonly report: Report;
  /** A handler that ran asynchronously came to its end. */
  readonly freed: () => void;
}

/** The handlers of one consumer. One that returns at once costs no promise; one that does not, no closure of its own. */
export class HandlerRunner implements DeliverySink {
  readonly #options: RunnerOptions;
  readonly #freeSlots: Slot[] = [];
  #running = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** How many handlers run. */
  get running(): number {
    return this.#running;
  }

  get takes(): boolean {
    return this.#running < this.#options.concurrency;
  }

  take(delivery: ConsumerDelivery): void {
    // Counted at once: the handler may ask for more, or close everything.
    this.#running += 1;
    let result: unknown;
    let isPending: boolean;
    try {
      result = this.#options.handler(delivery);
      // Here, because a property of the application's may throw as well.
      isPending = isThenable(result);
    } catch (error) {
      this.#running -= 1;
      this.#failed(delivery, error);
      return;
    }
    if (isPending) {
      const slot = this.#freeSlots.pop() ?? new Slot(this);
      slot.delivery = delivery;
      // A promise of another make is wrapped: a slot must be told once, and only once.
      (result instanceof Promise ? result : Promise.resolve(result)).then(slot.succeeded, slot.failed);
      return;
    }
    this.#running -= 1;
    this.#succeeded(delivery);
  }

  finished(): void {
    // Handlers are not told: `Consumer.ended` tells.
  }

  /** A handler's promise is settled. */
  slotFinished(slot: Slot, failed: boolean, error: unknown): void {
    const { delivery } = slot;
    slot.delivery = undefined;
    if (delivery === undefined) return;
    this.#freeSlots.push(slot);
    this.#running -= 1;
    if (failed) this.#failed(delivery, error);
    else this.#succeeded(delivery);
    this.#options.freed();
  }

  #succeeded(delivery: ConsumerDelivery): void {
    if (this.#options.settle !== "auto" || !delivery.outstanding) return;
    try {
      delivery.ack();
    } catch (error) {
      // The transaction that it would belong to was lost.
      this.#options.report(error);
    }
  }

  #failed(delivery: ConsumerDelivery, error: unknown): void {
    const { settle, report } = this.#options;
    report(error);
    if (settle !== "auto" || !delivery.outstanding) return;
    const requeue = this.#requeues(delivery, error);
    // The policy is the application's too, and may have settled it.
    if (!delivery.outstanding) return;
    try {
      delivery.nack({ requeue });
    } catch (problem) {
      // The transaction that it would belong to was lost. The message stays outstanding, and goes back with the channel.
      report(problem);
    }
  }

  #requeues(delivery: ConsumerDelivery, error: unknown): boolean {
    const { requeue, report } = this.#options;
    return typeof requeue === "boolean" ? requeue : answerOf(() => requeue(error, delivery), true, report);
  }
}

/** A handler that runs: two functions that are made once and used for one delivery after another. */
class Slot {
  delivery: ConsumerDelivery | undefined;
  readonly succeeded: () => void;
  readonly failed: (error: unknown) => void;

  constructor(runner: HandlerRunner) {
    this.succeeded = () => runner.slotFinished(this, false, undefined);
    this.failed = (error) => runner.slotFinished(this, true, error);
  }
}
