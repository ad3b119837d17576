/** A pool of workers that share the messages of a queue: each goes to the least busy one. */

import type { Millis } from "../engine/config.ts";
import type { Channel } from "../client/channel.ts";
import { type Connection, internalsOf } from "../client/connection.ts";
import type { Consumer, ConsumerClosed } from "../client/consumer.ts";
import type { ConsumeOptions, ConsumerEnd } from "../client/consumer-options.ts";
import type { ConsumerDelivery } from "../client/delivery.ts";
import { NotConnectedError } from "../client/errors.ts";
import { Future } from "../client/futures.ts";
import { dropped, Listeners, type Report, reporting } from "../client/listeners.ts";
import { moreThanNothing, patience } from "../client/option-checks.ts";
import { ConnectionError } from "../engine/errors.ts";
import { UsageError } from "../wire/errors.ts";
import { defaultWindow, windowOf } from "./serve.ts";
import { PooledWorker } from "./pooled-worker.ts";
import type { ThreadPort } from "./port.ts";
import { ThreadError } from "./thread-error.ts";
import type { WorkerLike } from "./worker-like.ts";

/** Deliveries that one worker has at a time, unless it is told: one that it handles, and the next one at hand. */
const defaultConcurrency = 2;

/** How long a worker may take until it is ready, unless it is told. */
const defaultStartTimeout: Millis = 30_000;

/** How often in a row a worker may be lost without having handled anything, before the pool gives up on its place. */
const maxFruitlessStarts = 3;

/** Options of a pool. */
export interface WorkerPoolOptions extends Omit<ConsumeOptions, "noWait"> {
  /** How many workers. */
  readonly size: number;
  /** Starts a worker, whose program calls `handleDeliveries`. */
  readonly start: () => WorkerLike;
  /** Makes a message channel. Default: that of the platform, `new MessageChannel()`. */
  readonly messageChannel?: (() => { readonly port1: ThreadPort; readonly port2: unknown }) | undefined;
  /** Deliveries that a worker has at a time. Default 2: one that it computes on, and the next one at hand. */
  readonly concurrency?: number | undefined;
  /** Bytes of bodies that a worker has at a time; one message may exceed it. Default 8 MiB. */
  readonly maxBytes?: number | undefined;
  /** Whether the workers' channels have publisher confirms. Default true. */
  readonly confirm?: boolean | undefined;
  /**
   * How long a worker may take from its start until `handleDeliveries` is ready there, in milliseconds; then it is lost.
   * Default 30 s.
   */
  readonly startTimeout?: Millis | undefined;
  /** Whether a worker that is lost is replaced. Default true. */
  readonly restart?: boolean | undefined;
}

/** What the listeners of a pool are given. */
export interface WorkerPoolEvents {
  /**
   * A worker ended, failed, was not ready in time, or had its channel closed by the server. `requeued` messages that were
   * with it went back to their queue.
   */
  readonly "worker-lost": { readonly error: ThreadError; readonly requeued: number; readonly willRestart: boolean };
  /** A handler in a worker, or a listener here, threw. The pool goes on. */
  readonly "callback-error": { readonly error: unknown };
}

/** Workers, and the consumer that feeds them. */
export class WorkerPool {
  readonly #connection: Connection;
  readonly #options: WorkerPoolOptions;
  readonly #report: Report = reporting((failure) => this.#listeners.emit("callback-error", failure, dropped));
  readonly #listeners = new Listeners<WorkerPoolEvents>(this.#report);
  readonly #workers = new Set<PooledWorker>();
  /** Those that are not ready yet. */
  readonly #beginners = new Set<PooledWorker>();
  /** Deliveries that found no worker with room, with whoever waits for them; as many as the consumer hands out at most. */
  readonly #waiting: { readonly delivery: ConsumerDelivery; readonly handled: Future<void> }[] = [];
  #consumer: Consumer | undefined;
  #starting = 0;
  #fruitless = 0;
  /** Why the last worker that was lost was. */
  #loss: ThreadError | undefined;
  #closing: Promise<ConsumerClosed> | undefined;

  private constructor(connection: Connection, options: WorkerPoolOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** @internal `openWorkerPool` is the way in. */
  static async open(connection: Connection, options: WorkerPoolOptions): Promise<WorkerPool> {
    const pool = new WorkerPool(connection, options);
    const { size, concurrency = defaultConcurrency } = options;
    try {
      await Promise.all(Array.from({ length: size }, () => pool.#startWorker()));
      const { queue, consumerTag, noAck, exclusive, noLocal, prefetch, signal } = options;
      const capacity = size * concurrency;
      const consumeOptions: ConsumeOptions = {
        ...{ queue, consumerTag, noAck, exclusive, noLocal, signal },
        ...(noAck === true ? {} : { prefetch: prefetch ?? capacity }),
        arguments: options.arguments,
      };
      pool.#consumer = await connection.openConsumer(
        { ...consumeOptions, settle: "manual", concurrency: capacity },
        (delivery) => pool.#dispatch(delivery),
      );
      // It has given up already where it has lost all its workers.
      if (pool.#closing !== undefined) throw pool.#loss ?? closedPool();
      return pool;
    } catch (error) {
      await pool.#abandon();
      throw error;
    }
  }

  /** Workers that are ready. */
  get size(): number {
    return this.#workers.size;
  }

  /** Deliveries that workers have at the moment. */
  get running(): number {
    let running = 0;
    for (const worker of this.#workers) running += worker.busy;
    return running;
  }

  /** Deliveries that each worker has at the moment. */
  get load(): readonly number[] {
    return [...this.#workers].map(({ busy }) => busy);
  }

  /** Why the pool gets no more messages. Never rejects. */
  get ended(): Promise<ConsumerEnd> {
    return this.#running.ended;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof WorkerPoolEvents>(
    name: Name,
    listener: (value: WorkerPoolEvents[Name]) => unknown,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /**
   * Cancels the consumer, waits for the handlers that run, and ends the workers.
   *
   * @param options - `drain`: how long to wait for handlers, in milliseconds; default 30 s. What is not handled then
   * goes back to the queue.
   */
  async close(options: { readonly drain?: Millis | undefined } = {}): Promise<ConsumerClosed> {
    if (options.drain !== undefined) patience(options.drain, "drain");
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /** Closes the pool, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => {});
  }

  async #close(options: { readonly drain?: Millis | undefined }): Promise<ConsumerClosed> {
    // The consumer's channel is closed when its handlers are done, and takes back what is still outstanding.
    const closed = await this.#consumer?.close(options);
    await this.#endWorkers();
    return closed ?? nothingClosed;
  }

  /** It does not come about. */
  async #abandon(): Promise<void> {
    this.#closing ??= Promise.resolve(nothingClosed);
    await this.#consumer?.close({ drain: 0 });
    await this.#endWorkers();
  }

  get #running(): Consumer {
    return this.#consumer as Consumer;
  }

  #dispatch(delivery: ConsumerDelivery): Promise<void> {
    const worker = this.#waiting.length === 0 ? this.#leastBusy() : undefined;
    if (worker !== undefined) return worker.handle(delivery);
    const handled = new Future<void>();
    this.#waiting.push({ delivery, handled });
    return handled.promise;
  }

  #leastBusy(): PooledWorker | undefined {
    let best: PooledWorker | undefined;
    for (const worker of this.#workers) {
      if (worker.hasRoom && (best === undefined || worker.busy < best.busy)) best = worker;
    }
    return best;
  }

  /** A worker has room, or there is a new one. */
  readonly #handOut = (): void => {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      // Its channel is gone, and has taken it back.
      const stale = !first.delivery.outstanding && this.#options.noAck !== true;
      const worker = stale ? undefined : this.#leastBusy();
      if (!stale && worker === undefined) return;
      this.#waiting.shift();
      first.handled.resolve(worker?.handle(first.delivery) as Promise<void> | undefined as never);
    }
  };

  async #startWorker(): Promise<void> {
    const { start, messageChannel = platformChannel, confirm = true, concurrency = defaultConcurrency } = this.#options;
    const { maxBytes = defaultWindow.bytes, startTimeout = defaultStartTimeout } = this.#options;
    this.#starting += 1;
    let channel: Channel | undefined;
    try {
      if (this.#closing !== undefined) throw closedPool();
      channel = await this.#connection.openChannel();
      if (confirm) await channel.confirmSelect();
      if (this.#closing !== undefined) throw closedPool();
      const worker = PooledWorker.start(start(), messageChannel(), channel, {
        window: { deliveries: concurrency, bytes: maxBytes },
        deadlines: internalsOf(this.#connection).deadlines,
        startTimeout,
        freed: this.#handOut,
        report: this.#report,
      });
      this.#beginners.add(worker);
      await worker.ready.finally(() => this.#beginners.delete(worker));
      this.#workers.add(worker);
      void worker.ended.then(({ error, requeued, handledAny }) => {
        this.#workers.delete(worker);
        if (error !== undefined) this.#lost(error, requeued, handledAny);
      });
      this.#handOut();
    } catch (error) {
      if (channel !== undefined) await channel.close();
      throw error;
    } finally {
      this.#starting -= 1;
    }
  }

  #lost(error: ThreadError, requeued: number, handledAny: boolean): void {
    this.#loss = error;
    this.#fruitless = handledAny ? 0 : this.#fruitless + 1;
    const willRestart =
      this.#closing === undefined && this.#options.restart !== false && this.#fruitless < maxFruitlessStarts;
    this.#listeners.emit("worker-lost", { error, requeued, willRestart });
    if (!willRestart) return this.#checkAlive();
    this.#replaceWorker().catch((problem: unknown) => {
      if (this.#closing === undefined && problem instanceof ThreadError) return this.#lost(problem, 0, false);
      if (this.#closing === undefined) this.#report(problem);
      this.#checkAlive();
    });
  }

  /** Starts a worker in place of a lost one; in an outage when that is over, however long it takes. */
  async #replaceWorker(): Promise<void> {
    this.#starting += 1;
    try {
      for (;;) {
        await this.#connection.ready();
        try {
          return await this.#startWorker();
        } catch (error) {
          if (!(error instanceof NotConnectedError || error instanceof ConnectionError)) throw error;
        }
      }
    } finally {
      this.#starting -= 1;
    }
  }

  /** Without any worker, nothing is to wait here for ever. */
  #checkAlive(): void {
    if (this.#workers.size === 0 && this.#starting === 0) void this.close({ drain: 0 });
    for (const { handled } of this.#workers.size === 0 ? this.#waiting.splice(0) : []) handled.resolve();
  }

  async #endWorkers(): Promise<void> {
    await Promise.all([...this.#workers, ...this.#beginners].map((worker) => worker.end()));
  }
}

/**
 * Opens a pool of workers that share a queue. The connection, and its heartbeats, stay in this thread.
 *
 * Each worker has a channel of its own for publishing and the like; deliveries come from one consumer, whose prefetch is
 * what the workers together can have. When a worker is lost, its deliveries go back to the queue, and another one is
 * started in its place; after three in a row that handled nothing, no more. A worker whose channel the server closes is
 * lost as well, once the handlers that run there have come to their end, for 30 seconds at most.
 *
 * @throws UsageError for options that make no sense; what `openChannel` and `openConsumer` throw; ThreadError WORKER_LOST
 * when a worker fails before it is ready, or is not ready within `startTimeout`.
 */
export async function openWorkerPool(connection: Connection, options: WorkerPoolOptions): Promise<WorkerPool> {
  const { size, start, concurrency = defaultConcurrency, maxBytes, startTimeout } = options;
  if (!(Number.isInteger(size) && size >= 1)) throw invalid("size", "a positive integer", size);
  if (!(Number.isInteger(concurrency) && concurrency >= 1))
    throw invalid("concurrency", "a positive integer", concurrency);
  if (typeof start !== "function") throw invalid("start", "a function that makes a worker", start);
  windowOf({ maxDeliveryBytes: maxBytes });
  if (startTimeout !== undefined) moreThanNothing(startTimeout, "startTimeout");
  return WorkerPool.open(connection, options);
}

/** What becomes of the messages of a pool that has no consumer. */
const nothingClosed: ConsumerClosed = { requeued: 0, unfinished: 0 };

function closedPool(): ThreadError {
  return new ThreadError("WORKER_LOST", "The pool was closed");
}

function invalid(name: string, wanted: string, given: unknown): UsageError {
  return new UsageError("INVALID_ARGUMENT", `${name} is ${wanted}, not ${String(given)}`);
}

function platformChannel(): { readonly port1: ThreadPort; readonly port2: unknown } {
  return new MessageChannel();
}
