/** One worker of a pool, as the thread with the connection sees it. */

import type { Channel } from "../client/channel.ts";
import type { Deadlines } from "../client/deadlines.ts";
import type { ConsumerDelivery } from "../client/delivery.ts";
import { Future } from "../client/futures.ts";
import type { Millis } from "../engine/config.ts";
import { ChannelError } from "../engine/errors.ts";
import { ChannelService } from "./channel-service.ts";
import { Credit, Lending, type LendingWindow } from "./lending.ts";
import { unpackError } from "./pack-errors.ts";
import type { ThreadPort } from "./port.ts";
import { PortHost } from "./port-host.ts";
import { channelLane, type GuestItem, poolLane, protocolVersion, type SettleItem } from "./protocol.ts";
import { SettlementError } from "../client/errors.ts";
import type { SettleResult } from "../client/settlement.ts";
import { Calls } from "./calls.ts";
import { defaultWindow } from "./serve.ts";
import { ThreadError } from "./thread-error.ts";
import { onWorkerEnd, type WorkerLike, type WorkerStart } from "./worker-like.ts";

/** How long the handlers of a worker whose channel was closed may take to come to their end. */
const lastHandlersLimit: Millis = 30_000;

/** What a pool tells its worker. */
export interface PooledWorkerOptions {
  readonly deadlines: Deadlines;
  /** How long it may take until it is ready. */
  readonly startTimeout: Millis;
  readonly window: LendingWindow;
  /** There is room for another delivery. */
  readonly freed: () => void;
  /** Takes what a handler threw. */
  readonly report: (error: unknown) => void;
}

/** How a worker ended. */
export interface PooledWorkerEnd {
  readonly error: ThreadError | undefined;
  readonly requeued: number;
  readonly handledAny: boolean;
}

interface Handed {
  readonly bytes: number;
  readonly handled: Future<void>;
}

export class PooledWorker {
  readonly #worker: WorkerLike;
  readonly #host: PortHost;
  readonly #options: PooledWorkerOptions;
  readonly #lending: Lending;
  readonly #calls: Calls;
  readonly #credit: Credit;
  readonly #handed = new Map<number, Handed>();
  readonly #ready = new Future<void>();
  readonly #ended = new Future<PooledWorkerEnd>();
  #isReady = false;
  #handledAny = false;
  /** What its channel was closed for: it ends with its last handler. */
  #ending: ThreadError | undefined;

  /** Starts with a worker. */
  static start(
    worker: WorkerLike,
    ports: { readonly port1: ThreadPort; readonly port2: unknown },
    channel: Channel,
    options: PooledWorkerOptions,
  ): PooledWorker {
    const pooled = new PooledWorker(worker, ports.port1, channel, options);
    const start: WorkerStart<unknown> = { leveretPool: protocolVersion, port: ports.port2 };
    worker.postMessage(start, [ports.port2 as never]);
    return pooled;
  }

  private constructor(worker: WorkerLike, port: ThreadPort, channel: Channel, options: PooledWorkerOptions) {
    this.#worker = worker;
    this.#options = options;
    this.#host = new PortHost(port);
    const { outbox } = this.#host;
    this.#lending = new Lending(poolLane, outbox);
    this.#calls = new Calls(poolLane, outbox);
    this.#credit = new Credit(options.window);
    const { report } = options;
    const service = new ChannelService(channel, channelLane, outbox, { window: defaultWindow, report });
    this.#host.addLane(channelLane, {
      handle: (item) => service.handle(item),
      release: async () => {
        const requeued = await service.release();
        await channel.close();
        return requeued;
      },
    });
    this.#host.addLane(poolLane, { handle: (item) => this.#handle(item), release: () => this.#release() });
    onWorkerEnd(worker, (cause) => {
      void this.#host.close(new ThreadError("WORKER_LOST", `A worker was lost: ${messageOf(cause)}`, { cause }));
    });
    void this.#host.closed.then((end) => this.#portEnded(end.error, end.requeued));
    channel.on("closed", ({ error }) => {
      if (error instanceof ChannelError) this.#channelClosed(error);
    });
    this.#limitStart(options.startTimeout);
    this.#host.greet(channelLane, service.facts);
  }

  /** Resolves when it is ready; rejects with ThreadError WORKER_LOST when it is gone before. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** How many deliveries it has. */
  get busy(): number {
    return this.#handed.size;
  }

  get hasRoom(): boolean {
    return this.#isReady && !this.#host.isClosing && this.#ending === undefined && this.#credit.isOpen;
  }

  /** Resolves when the worker is gone, and what was with it is back. */
  get ended(): Promise<PooledWorkerEnd> {
    return this.#ended.promise;
  }

  /** Hands a delivery to the worker. Resolves when the worker is done with it, or is gone. */
  handle(delivery: ConsumerDelivery): Promise<void> {
    const handled = new Future<void>();
    const bytes = delivery.body.length;
    this.#credit.spend(bytes);
    this.#handed.set(delivery.deliveryTag, { bytes, handled });
    this.#lending.deliver(delivery, 0, !delivery.outstanding);
    return handled.promise;
  }

  /** Ends the worker, which should have nothing left to do. */
  async end(): Promise<void> {
    await this.#host.close();
  }

  #handle(item: GuestItem): void {
    switch (item.type) {
      case "done":
        return item.tag === 0 ? this.#becameReady() : this.#done(item.tag);
      case "settle":
        return this.#calls.answerNow(item.id, () => this.#settle(item));
      case "report":
        return this.#options.report(unpackError(item.error));
      default:
        return;
    }
  }

  #becameReady(): void {
    this.#isReady = true;
    this.#ready.resolve();
  }

  #done(tag: number): void {
    const handed = this.#handed.get(tag);
    if (handed === undefined) return;
    this.#handledAny ||= this.#ending === undefined;
    this.#handed.delete(tag);
    this.#credit.regain(1, handed.bytes);
    handed.handled.resolve();
    if (this.#ending !== undefined) return this.#endWhenIdle(this.#ending);
    this.#options.freed();
  }

  #limitStart(startTimeout: Millis): void {
    const deadline = this.#options.deadlines.start(startTimeout, {
      expire: () =>
        void this.#host.close(new ThreadError("WORKER_LOST", `A worker was not ready within ${startTimeout} ms`)),
    });
    const cancel = (): void => deadline.cancel();
    this.ready.then(cancel, cancel);
  }

  /** The server closed the worker's channel, which does not come back; the handlers that run still settle what they have. */
  #channelClosed(cause: ChannelError): void {
    if (this.#host.isClosing) return;
    const ending = new ThreadError("WORKER_LOST", `A worker's channel was closed: ${cause.message}`, { cause });
    this.#ending = ending;
    const deadline = this.#options.deadlines.start(lastHandlersLimit, { expire: () => void this.#host.close(ending) });
    void this.ended.then(() => deadline.cancel());
    this.#endWhenIdle(ending);
  }

  #endWhenIdle(error: ThreadError): void {
    if (this.#handed.size === 0) void this.#host.close(error);
  }

  #settle({ verb, tag, requeue }: SettleItem): SettleResult {
    const delivery = this.#lending.find(tag);
    if (delivery === undefined) throw new SettlementError("UNKNOWN_DELIVERY", tag);
    const result = verb === "ack" ? delivery.ack() : delivery[verb]({ requeue });
    this.#lending.settled(tag, false);
    return result;
  }

  async #release(): Promise<number> {
    const requeued = this.#lending.giveBack();
    this.#calls.end();
    for (const { handled } of this.#handed.values()) handled.resolve();
    this.#handed.clear();
    return requeued;
  }

  #portEnded(error: ThreadError | undefined, requeued: number): void {
    // A port that closes by itself is a worker that is gone, or wants no more.
    const lost =
      error?.code === "PORT_CLOSED" ? new ThreadError("WORKER_LOST", "A worker was lost", { cause: error }) : error;
    this.#worker.terminate();
    if (!this.#isReady)
      this.#ready.fail(() => lost ?? new ThreadError("WORKER_LOST", "A worker was not ready in time"));
    this.#ended.resolve({ error: lost, requeued, handledAny: this.#handledAny });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
