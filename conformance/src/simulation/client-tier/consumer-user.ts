/** What an application does with a consumer: its handler, or its loop. */

import {
  type Consumer,
  type ConsumeOptions,
  type ConsumerDelivery,
  type DeliveryHandler,
  type HandlerOptions,
  type IterableConsumer,
} from "@leveret/core/client";
import type { SeenInOrder } from "../ledger.ts";
import { invariant } from "../violation.ts";
import type { Millis } from "../world.ts";
import { type DeliveryLog, settleWays } from "./delivery-log.ts";
import { arrivalOf, isPermanent, readLetter } from "./messages.ts";
import { OnPurpose, wasOrdered } from "./promises.ts";
import type { Session } from "./session.ts";

/** How to start a consumer: on a channel, or with one of its own. */
export interface ConsumerStart {
  handled(options: HandlerOptions, handler: DeliveryHandler): Promise<Consumer>;
  iterated(options: ConsumeOptions): Promise<IterableConsumer>;
}

const noAckShare = 0.2;
const largestPrefetch = 6;
const largestConcurrency = 3;
const longestHandling: Millis = 500;
/** A handler that does not come to its end before `close` has lost its patience. */
const endlessHandling: Millis = 40_000;
const longestDrain: Millis = 2_000;
const handlingWeights = {
  return: 40,
  later: 20,
  throw: 6,
  "reject-later": 5,
  settle: 12,
  hold: 6,
  cancel: 2,
  close: 1,
  endless: 1,
} as const;

export class ConsumerUser {
  readonly #session: Session;
  readonly #log: DeliveryLog;
  readonly #queue: string;
  readonly #noAck: boolean;
  readonly #settlesItself: boolean;
  readonly #requeue: "always" | "never" | "sometimes";
  readonly #prefetch: number | undefined;
  readonly #concurrency: number | undefined;
  readonly #seen: SeenInOrder = new Map();
  #consumer: Consumer | undefined;
  /** Present while the application takes messages one by one. */
  #iterable: IterableConsumer | undefined;
  #hasHandler = false;
  #running = 0;
  #isOver = false;

  static start(session: Session, log: DeliveryLog, start: ConsumerStart): void {
    const queue = session.random.pick(session.surroundings.queues.all);
    if (queue === undefined) return;
    const noAck = !isPermanent(queue) && session.random.chance(noAckShare);
    // Messages may be taken as soon as the request is sent.
    if (noAck) session.surroundings.book.ledger.fleeting(queue.name);
    session.consumers.add(new ConsumerUser(session, log, queue.name, noAck, start));
  }

  private constructor(session: Session, log: DeliveryLog, queue: string, noAck: boolean, start: ConsumerStart) {
    const { random } = session;
    this.#session = session;
    this.#log = log;
    this.#queue = queue;
    this.#noAck = noAck;
    this.#settlesItself = random.chance(0.3);
    this.#requeue = random.pick(["always", "always", "never", "sometimes"] as const);
    this.#prefetch = noAck || random.chance(0.3) ? undefined : random.int(0, largestPrefetch);
    this.#concurrency = random.chance(0.5) ? undefined : random.int(1, largestConcurrency);
    const options: ConsumeOptions = { queue, noAck, prefetch: this.#prefetch, signal: session.signal() };
    if (random.chance(0.6)) this.#handle(start, options);
    else this.#iterate(start, options, random.chance(0.5));
  }

  get isOver(): boolean {
    return this.#isOver && this.#consumer?.paused !== true;
  }

  get isConsuming(): boolean {
    return this.#consumer?.state === "consuming";
  }

  /** Whoever pauses has to go on some time: what the consumer has got stays its own, also when it has ended. */
  resume(): void {
    if (this.#consumer?.paused === true) this.#consumer.resume();
  }

  pauseOrResume(): void {
    if (this.#consumer?.paused === true) this.#consumer.resume();
    else this.#consumer?.pause();
  }

  cancel(): void {
    if (this.#consumer !== undefined) this.#session.watch("consumer.cancel", this.#consumer.cancel());
  }

  close(): void {
    const { random } = this.#session;
    const drain = random.chance(0.5) ? { drain: random.int(0, longestDrain) } : {};
    if (this.#consumer !== undefined) this.#session.watch("consumer.close", this.#consumer.close(drain));
  }

  /** Takes the next message, where nobody iterates and no handler runs. */
  take(): void {
    if (this.#iterable === undefined) return;
    const options = { signal: this.#session.signal(), timeout: this.#session.timeout() };
    this.#session.watch("take", this.#iterable.take(options), {
      kind: "life",
      done: (delivery) => {
        if (delivery === undefined || !this.#session.believes) return;
        this.#receive(delivery);
        this.#log.hold(delivery);
      },
    });
  }

  settle(): void {
    this.#log.settleSome();
  }

  check(): void {
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    const most = this.#mostRunning;
    invariant(consumer.running <= most, "handlers keep to their number", () => `${consumer.running} of ${most}`);
    if (!this.#prefetch || !this.#session.believes) return;
    const { buffered } = consumer;
    invariant(buffered <= this.#prefetch, "a buffer keeps to the prefetch", () => `${buffered} of ${this.#prefetch}`);
  }

  /** At rest: the broker knows the consumer, as it was asked for; and whoever has nothing to do has nothing that waits. */
  checkAtRest(atBroker: ReadonlyMap<string, { readonly prefetch: number }>): void {
    const consumer = this.#consumer;
    if (consumer?.state !== "consuming") return;
    const { consumerTag, paused, running, buffered } = consumer;
    const prefetch = atBroker.get(consumerTag)?.prefetch;
    invariant(
      this.#prefetch === undefined || prefetch === this.#prefetch,
      "a consumer has the prefetch that it was given",
      () => `${consumerTag} has ${prefetch}, not ${this.#prefetch}`,
    );
    if (!this.#hasHandler || paused || running > 0) return;
    invariant(buffered === 0, "a handler that has time is given what waits", () => `${buffered} deliveries`);
  }

  // With a handler

  #handle(start: ConsumerStart, options: ConsumeOptions): void {
    this.#hasHandler = true;
    const requeue = { always: true, never: false, sometimes: this.#decide }[this.#requeue];
    const promise = start.handled(
      { ...options, concurrency: this.#concurrency, settle: this.#settlesItself ? "manual" : "auto", requeue },
      (delivery) => this.#session.surroundings.promises.guard(() => this.#handler(delivery)),
    );
    this.#watchStart(promise, () => {});
  }

  readonly #decide = (_: unknown, delivery: ConsumerDelivery): boolean => {
    if (this.#session.random.chance(0.1)) throw new OnPurpose();
    const requeued = this.#session.random.chance(0.5);
    if (!requeued) this.#log.mayBeGone(delivery);
    return requeued;
  };

  #handler(delivery: ConsumerDelivery): unknown {
    if (!this.#session.believes) return undefined;
    invariant(
      this.#running < this.#mostRunning,
      "handlers keep to their number",
      () => `${this.#running + 1} of ${this.#mostRunning}`,
    );
    this.#receive(delivery);
    const { random } = this.#session;
    switch (random.weighted(handlingWeights)) {
      case "return":
        return this.#succeed(delivery);
      case "later":
        return this.#later(random.int(0, longestHandling), () => this.#succeed(delivery));
      case "throw":
        return this.#fail(delivery);
      case "reject-later":
        return this.#later(random.int(0, longestHandling), () => this.#fail(delivery));
      case "settle":
        return this.#log.settle(delivery, random.pick(settleWays));
      case "hold":
        this.#log.hold(delivery);
        return this.#settlesItself ? undefined : this.#succeed(delivery);
      case "cancel":
        this.cancel();
        return this.#succeed(delivery);
      case "close":
        this.close();
        return this.#succeed(delivery);
      case "endless":
        return this.#later(endlessHandling, () => this.#succeed(delivery));
    }
  }

  #succeed(delivery: ConsumerDelivery): void {
    // It is acknowledged when the handler returns.
    if (this.#settlesItself) return this.#log.hold(delivery);
    this.#log.mayBeGone(delivery);
    this.#log.handled(delivery);
  }

  #fail(delivery: ConsumerDelivery): never {
    if (this.#requeue === "never") this.#log.mayBeGone(delivery);
    if (!this.#settlesItself) this.#log.handled(delivery);
    throw new OnPurpose();
  }

  #later(delay: Millis, end: () => void): Promise<void> {
    this.#running += 1;
    return new Promise((resolve, reject) => {
      this.#session.surroundings.world.after(delay, () => {
        this.#running -= 1;
        try {
          end();
          resolve();
        } catch (error) {
          if (!(error instanceof OnPurpose)) this.#session.surroundings.promises.keep(error);
          reject(error as Error);
        }
      });
    });
  }

  get #mostRunning(): number {
    if (this.#concurrency !== undefined) return this.#concurrency;
    // What it is where neither is said depends on the channel.
    return this.#prefetch === undefined || this.#prefetch === 0 ? Infinity : this.#prefetch;
  }

  // Without

  #iterate(start: ConsumerStart, options: ConsumeOptions, inLoop: boolean): void {
    this.#watchStart(start.iterated(options), (consumer) => {
      if (inLoop) this.#session.watch("for await", this.#loop(consumer), { kind: "life" });
      else this.#iterable = consumer;
    });
  }

  async #loop(consumer: IterableConsumer): Promise<void> {
    const { random } = this.#session;
    for await (const delivery of consumer) {
      if (!this.#session.believes) break;
      this.#receive(delivery);
      if (random.chance(0.6)) this.#log.settle(delivery, random.pick(settleWays));
      else this.#log.hold(delivery);
      if (random.chance(0.05)) break;
      if (random.chance(0.3)) await this.#later(random.int(0, longestHandling), () => {});
    }
  }

  // Either way

  #receive(delivery: ConsumerDelivery): void {
    invariant(
      this.#consumer?.paused !== true,
      "a consumer that is paused is given nothing",
      () => delivery.consumerTag,
    );
    const id = readLetter(delivery);
    const { book } = this.#session.surroundings;
    book.delivered(id, arrivalOf(delivery, this.#queue), this.#seen);
    this.#log.add(delivery, { id, queue: this.#queue });
    if (this.#noAck) book.ledger.mayBeGone(id, this.#queue);
  }

  #watchStart<C extends Consumer>(promise: Promise<C>, started: (consumer: C) => void): void {
    this.#session.watch("consume", promise, {
      done: (consumer) => {
        this.#consumer = consumer;
        if (!this.#noAck) this.#log.addConsumer(consumer);
        this.#session.watch("consumer.ended", consumer.ended, {
          kind: "life",
          done: (end) => {
            this.#isOver = true;
            const { keepers } = this.#session.surroundings;
            invariant(
              end.type !== "not-recovered" || !keepers.hasAlwaysBeen(this.#queue) || wasOrdered(end.error.cause),
              "a consumer whose queue is there is recovered",
              () => `${consumer.consumerTag} of ${this.#queue}: ${String((end as { error?: Error }).error?.cause)}`,
            );
          },
        });
        started(consumer);
      },
      failed: () => {
        this.#isOver = true;
      },
    });
  }
}
