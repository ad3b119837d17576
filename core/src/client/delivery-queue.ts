/** The sink of an iterable consumer: whoever asks first gets the next message. */

import type { Millis } from "../engine/config.ts";
import type { ConsumerEnd } from "./consumer-options.ts";
import type { Deadlines } from "./deadlines.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import { AbortError, ConsumerCancelledError, ConsumerRecoveryError, endedWith } from "./errors.ts";
import { Future, onAbort, rejection } from "./futures.ts";
import type { DeliverySink, Subscription } from "./subscription.ts";

/** How long to wait for a message. */
export interface TakeOptions {
  /** Default: for ever. */
  readonly timeout?: Millis | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How a loop goes on. */
export interface IterateOptions {
  /** How long to wait for a message before the loop turns without one. Default: for ever. */
  readonly inactivityTimeout?: Millis | undefined;
  /** Ends the waiting: the loop throws `AbortError`. */
  readonly signal?: AbortSignal | undefined;
}

/** Somebody who waits for a message. */
class Taker {
  readonly future = new Future<ConsumerDelivery | undefined>();
  cleanUp: () => void = () => {};
}

export class DeliveryQueue implements DeliverySink {
  readonly running = 0;
  readonly #subscription: Subscription;
  readonly #deadlines: Deadlines;
  /** In the order they came. */
  readonly #takers = new Set<Taker>();
  #end: ConsumerEnd | undefined;

  constructor(subscription: Subscription, deadlines: Deadlines) {
    this.#subscription = subscription;
    this.#deadlines = deadlines;
  }

  get takes(): boolean {
    return this.#takers.size > 0;
  }

  /** Whether nothing more comes. */
  get over(): boolean {
    return this.#end !== undefined;
  }

  take(delivery: ConsumerDelivery): void {
    for (const taker of this.#takers) {
      this.#leave(taker);
      return taker.future.resolve(delivery);
    }
  }

  finished(end: ConsumerEnd): void {
    this.#end = end;
    for (const taker of this.#takers) {
      this.#leave(taker);
      taker.future.resolve(this.#ending());
    }
  }

  /** A message that is here already, unless somebody else waits for one. */
  takeNow(): ConsumerDelivery | undefined {
    return this.takes ? undefined : this.#subscription.shift();
  }

  /** The next message, or `undefined` when there is none. */
  next({ timeout, signal }: TakeOptions): Promise<ConsumerDelivery | undefined> {
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    const delivery = this.takeNow();
    if (delivery !== undefined) return Promise.resolve(delivery);
    if (this.#end !== undefined) return this.#ending();

    const taker = new Taker();
    const deadline =
      timeout === undefined ? undefined : this.#deadlines.start(timeout, { expire: () => this.#timedOut(taker) });
    this.#takers.add(taker);
    if (timeout === undefined && signal === undefined) return taker.future.promise;
    const stopListening = onAbort(signal, (reason) => this.#aborted(taker, reason));
    taker.cleanUp = () => {
      deadline?.cancel();
      stopListening();
    };
    return taker.future.promise;
  }

  #leave(taker: Taker): void {
    this.#takers.delete(taker);
    taker.cleanUp();
  }

  #timedOut(taker: Taker): void {
    this.#leave(taker);
    taker.future.resolve(undefined);
  }

  #aborted(taker: Taker, reason: unknown): void {
    this.#leave(taker);
    taker.future.fail(() => new AbortError(reason, "not-sent"));
  }

  #ending(): Promise<undefined> {
    const end = this.#end;
    switch (end?.type) {
      case "cancelled-by-server":
        return rejection(() => new ConsumerCancelledError(this.#subscription.info.consumerTag));
      case "lost":
        return rejection(() => endedWith(end.error, "unknown"));
      case "not-recovered":
        return rejection(() => new ConsumerRecoveryError(this.#subscription.info.consumerTag, end.error.cause));
      default:
        return Promise.resolve(undefined);
    }
  }
}
