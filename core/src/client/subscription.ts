/**
 * A consumer from the inside: deliveries come in from the channel, wait in a buffer while nobody can take them, and go
 * to a sink, which is a handler or an iterator.
 */

import type { ConsumerEnd } from "./consumer-options.ts";
import type { Deadlines } from "./deadlines.ts";
import { type ConsumerDelivery, giveBack, LentDelivery } from "./delivery.ts";
import type { DeliveryBuffer } from "./delivery-buffer.ts";
import { done, Future } from "./futures.ts";
import type { StreamPosition } from "./stream-position.ts";

/** Where deliveries go. */
export interface DeliverySink {
  /** Whether the sink takes a delivery now. */
  readonly takes: boolean;
  /** Deliveries that it took and is not done with. */
  readonly running: number;
  take(delivery: ConsumerDelivery): void;
  /** There will be nothing more to take. */
  finished(end: ConsumerEnd): void;
}

/** What a subscription needs of its channel. */
export interface SubscriptionHost {
  /** Sends `basic.cancel`. Settles when the server sends nothing more, for whatever reason; never rejects. */
  cancel(consumerTag: string, noWait: boolean): Promise<void>;
  /** Ends how long the server is waited for. */
  readonly deadlines: Deadlines;
}

/** What is fixed from the beginning. */
export interface SubscriptionInfo {
  readonly consumerTag: string;
  readonly noAck: boolean;
  /** Whether its handler gets bodies for the length of its call only. */
  readonly lendsBody: boolean;
  /** Where it is in its stream; `undefined` for one that reads none, or is not brought back. */
  readonly position: StreamPosition | undefined;
}

export class Subscription {
  readonly info: SubscriptionInfo;
  /** The queue's name, which may change when the server named it. */
  queue: string;
  /** The server has said yes. */
  isStarted = false;
  readonly #host: SubscriptionHost;
  readonly #buffer: DeliveryBuffer;
  readonly #ended = new Future<ConsumerEnd>();
  #sink: DeliverySink | undefined;
  #state: "consuming" | "cancelling" | "ended" = "consuming";
  #end: ConsumerEnd | undefined;
  #finished = false;
  #paused = false;
  #requeued = 0;
  #cancelling: Promise<void> | undefined;
  #idle: Future<void> | undefined;

  constructor(info: SubscriptionInfo, queue: string, host: SubscriptionHost, buffer: DeliveryBuffer) {
    this.info = info;
    this.queue = queue;
    this.#host = host;
    this.#buffer = buffer;
  }

  /** Where deliveries go; to be set before the first one comes. */
  set sink(sink: DeliverySink) {
    this.#sink = sink;
  }

  get state(): "consuming" | "cancelling" | "ended" {
    return this.#state;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Deliveries in the buffer. */
  get buffered(): number {
    return this.#buffer.size;
  }

  get running(): number {
    return this.#sink?.running ?? 0;
  }

  /** Resolves with the reason when the server sends nothing more. */
  get ended(): Promise<ConsumerEnd> {
    return this.#ended.promise;
  }

  deliver(delivery: ConsumerDelivery): void {
    const sink = this.#sink;
    if (this.#state === "ended") return giveBack(delivery);
    if (sink?.takes === true && !this.#paused && this.#buffer.size === 0 && !this.#holdsBack()) {
      this.info.position?.handedOut(delivery);
      sink.take(delivery);
      if (delivery instanceof LentDelivery) delivery.handled();
    } else {
      if (delivery instanceof LentDelivery) delivery.keep();
      this.#buffer.push(delivery);
    }
  }

  /** Takes a delivery that waits, where it may be handed out. */
  shift(): ConsumerDelivery | undefined {
    const delivery = this.#next();
    this.#checkFinished();
    return delivery;
  }

  #next(): ConsumerDelivery | undefined {
    if (this.#paused || this.#holdsBack()) return undefined;
    const delivery = this.#buffer.shift();
    if (delivery !== undefined) this.info.position?.handedOut(delivery);
    return delivery;
  }

  /** Gives the sink what waits, as long as it takes more. */
  pump(): void {
    const sink = this.#sink;
    while (sink?.takes === true) {
      // The last one is taken before the sink hears of the end.
      const delivery = this.#next();
      if (delivery === undefined) break;
      sink.take(delivery);
      if (delivery instanceof LentDelivery) delivery.handled();
    }
    this.#checkFinished();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.pump();
  }

  /**
   * Cancels, and gives back what waits in the buffer. Resolves with the number of messages that went back, or when the
   * server has taken too long to answer: what it sends goes back when it has.
   */
  async cancel(noWait = false): Promise<number> {
    this.#cancelling ??= this.#cancel(noWait);
    await this.#host.deadlines.within(this.#cancelling);
    return this.#requeued;
  }

  async #cancel(noWait: boolean): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "cancelling";
    // Only when the server has stopped: what goes back sooner might come again at once.
    await this.#host.cancel(this.info.consumerTag, noWait);
    this.end({ type: "cancelled" });
  }

  /**
   * The channel was lost, and will be recovered. What waits to be handed out comes again; what needs no acknowledgement
   * does not, and stays. To be called while deliveries still know whether they are settled.
   */
  lost(): void {
    this.info.position?.lost();
    this.#buffer.letRead();
    if (!this.info.noAck) this.#buffer.drain();
    this.#checkFinished();
  }

  /** Resolves when nothing waits and nothing runs any more. */
  idle(): Promise<void> {
    if (this.#isIdle()) return done;
    this.#idle ??= new Future<void>();
    return this.#idle.promise;
  }

  /** The server sends nothing more. */
  end(end: ConsumerEnd): void {
    if (this.#state === "ended") return;
    // Whoever asked for the end gets it, whatever came first.
    const asked: ConsumerEnd = this.#state === "cancelling" && end.type !== "lost" ? { type: "cancelled" } : end;
    this.#end = asked;
    this.#state = "ended";
    this.#buffer.letRead();
    // Messages that need no acknowledgement are gone from the queue: they are the consumer's, whatever happened. So are
    // those of a queue that was deleted.
    if (!this.info.noAck && asked.type !== "cancelled-by-server") this.#emptyBuffer(asked);
    this.#ended.resolve(asked);
    this.pump();
  }

  /** While a cancellation is under way nothing is handed out that can still go back. */
  #holdsBack(): boolean {
    return this.#state === "cancelling" && !this.info.noAck;
  }

  #isIdle(): boolean {
    return this.running === 0 && (this.#buffer.size === 0 || this.#paused);
  }

  #emptyBuffer(end: ConsumerEnd): void {
    const deliveries = this.#buffer.drain();
    this.#requeued += deliveries.length;
    if (end.type === "cancelled") for (const delivery of deliveries) giveBack(delivery);
  }

  #checkFinished(): void {
    if (this.#idle !== undefined && this.#isIdle()) {
      this.#idle.resolve();
      this.#idle = undefined;
    }
    if (this.#end === undefined || this.#finished || this.#buffer.size > 0) return;
    this.#finished = true;
    this.#sink?.finished(this.#end);
  }
}
