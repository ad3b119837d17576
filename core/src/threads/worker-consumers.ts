/** The consumers of a channel in a worker, from the call that starts one to its end. */

import { defaultConcurrency, defaultPrefetch, type HandlerOptions } from "../client/consumer-options.ts";
import { UsageError } from "../wire/errors.ts";
import type { CallMore } from "./port-guest.ts";
import type { DeliverItem, PackedEnd } from "./protocol.ts";
import { WorkerConsumer } from "./worker-consumer.ts";
import { type DeliveryLane, WorkerConsumerDelivery } from "./worker-delivery.ts";
import { type WorkerHandler, WorkerHandlers } from "./worker-handlers.ts";

/** Options of a consumer with a handler, in a worker. */
export interface WorkerHandlerOptions extends Omit<HandlerOptions, "requeue" | "lendBody"> {
  /** Whether a message goes back to its queue when its handler throws. Default true. */
  readonly requeue?: boolean | ((error: unknown, delivery: WorkerConsumerDelivery) => boolean) | undefined;
}

/** No limit is to leave a consumer at the server. */
const housekeeping: CallMore = { unlimited: true };

interface StartedConsumer {
  readonly handlers: WorkerHandlers;
  readonly noAck: boolean;
  consumer: WorkerConsumer | undefined;
  /** Why it is over, where that was heard before it had begun. */
  end: PackedEnd | undefined;
}

export class WorkerConsumers {
  readonly #lane: DeliveryLane;
  readonly #report: (error: unknown) => void;
  /** By the numbers of the calls that started them. */
  readonly #started = new Map<number, StartedConsumer>();

  /** `report` takes what handlers throw. */
  constructor(lane: DeliveryLane, report: (error: unknown) => void) {
    this.#lane = lane;
    this.#report = report;
  }

  async start(options: WorkerHandlerOptions, handler: WorkerHandler): Promise<WorkerConsumer> {
    if (typeof handler !== "function") throw new UsageError("INVALID_ARGUMENT", "The handler is not a function");
    const { settle = "auto", requeue = true, concurrency, signal, ...plain } = options;
    const { prefetch = defaultPrefetch, noAck = false } = plain;
    const { guest, lane } = this.#lane;
    let number = 0;
    const handlers = new WorkerHandlers({
      handler,
      concurrency: concurrency ?? (prefetch === 0 ? defaultConcurrency : prefetch),
      settle: noAck ? "manual" : settle,
      requeue,
      report: this.#report,
      taken: ({ body }) => this.#taken(number, body.length),
    });
    const started: StartedConsumer = { handlers, noAck, consumer: undefined, end: undefined };
    const starting = guest.call(lane, "basicConsume", plain, {
      signal,
      numbered: (id) => {
        number = id;
        this.#started.set(id, started);
      },
    });
    try {
      const { consumerTag, queue } = (await starting) as { consumerTag: string; queue: string };
      const consumer = new WorkerConsumer({ consumerTag, queue, noAck }, handlers, {
        cancel: async () => {
          const requeued = await guest.call(lane, "cancelConsumer", { consumer: number }, housekeeping);
          this.#started.delete(number);
          return requeued as number;
        },
        flushed: async () => {
          await guest.call(lane, "flush", {}, housekeeping);
        },
      });
      started.consumer = consumer;
      if (started.end !== undefined) consumer.endedThere(started.end);
      return consumer;
    } catch (error) {
      this.#started.delete(number);
      throw error;
    }
  }

  deliver(item: DeliverItem): void {
    const delivery = new WorkerConsumerDelivery(item, this.#lane);
    const started = this.#started.get(item.consumer);
    // Whoever asked for the consumer has given up waiting for it.
    if (started === undefined) return void (delivery.outstanding && delivery.nack());
    started.handlers.push(delivery);
  }

  endedThere(number: number, end: PackedEnd): void {
    const started = this.#started.get(number);
    if (started !== undefined) started.end = end;
    this.#started.delete(number);
    started?.consumer?.endedThere(end);
  }

  /** The channel was lost. What waits for a handler comes again; what needs no acknowledgement stays. */
  lost(): void {
    for (const [number, { handlers, noAck }] of this.#started) {
      if (!noAck) for (const { body } of handlers.drain()) this.#taken(number, body.length);
    }
  }

  /** What waits for a handler comes again, from somewhere else; what needs no acknowledgement does not. */
  channelClosed(): void {
    for (const { handlers, noAck } of this.#started.values()) if (!noAck) handlers.drain();
  }

  portClosed(): void {
    for (const { consumer } of this.#started.values()) consumer?.portClosed();
    this.#started.clear();
  }

  #taken(consumer: number, bytes: number): void {
    const { guest, lane } = this.#lane;
    guest.outbox.post({ type: "taken", lane, consumer, count: 1, bytes });
  }
}
