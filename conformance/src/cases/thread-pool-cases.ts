/** Pools of workers that share a queue. */

import type { Millis } from "@leveret/core/client";
import {
  handleDeliveries,
  openWorkerPool,
  type PoolHandler,
  type ThreadPort,
  type WorkerLike,
} from "@leveret/core/threads";
import type { ConformanceCase } from "./case.ts";
import { like, ok, same } from "./expect.ts";
import { text } from "./scene.ts";
import { numbered } from "./thread-scene.ts";

/** For what should be there at once, in milliseconds. */
const soon: Millis = 10_000;

/** A worker that runs here. Ends when the pool ends it, or when it is told to die. */
class NearbyWorker implements WorkerLike {
  readonly #listeners = new Map<string, Set<(value: never) => void>>();
  #port: ThreadPort | undefined;
  terminated = false;

  constructor(handler: PoolHandler) {
    const scope = {
      addEventListener: (type: string, listener: unknown) => void this.#of(type).add(listener as never),
      removeEventListener: (type: string, listener: unknown) => void this.#of(type).delete(listener as never),
    };
    void handleDeliveries(scope, handler);
  }

  postMessage(message: unknown): void {
    this.#port = (message as { port: ThreadPort }).port;
    for (const listener of this.#of("message")) listener({ data: message } as never);
  }

  on(event: string, listener: (value: unknown) => void): void {
    this.#of(event).add(listener);
  }

  terminate(): void {
    this.terminated = true;
  }

  /** As a worker whose program throws. */
  die(message: string): void {
    for (const listener of this.#of("error")) listener(new Error(message) as never);
    this.#port?.close();
  }

  #of(type: string): Set<(value: never) => void> {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    return listeners;
  }
}

export const threadPoolCases: readonly ConformanceCase[] = [
  {
    name: "a pool shares a queue: each delivery goes to the least busy worker, and closing waits for handlers",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const answers = await scene.queue(channel);
      await scene.fill(queue, ...numbered(60));
      const busiest = [0, 0, 0];
      const busy = [0, 0, 0];
      let workers = 0;
      const start = (): WorkerLike => {
        const me = workers;
        workers += 1;
        return new NearbyWorker(async (delivery, own) => {
          busy[me] = (busy[me] ?? 0) + 1;
          busiest[me] = Math.max(busiest[me] ?? 0, busy[me] ?? 0);
          await own.basicPublish({ exchange: "", routingKey: answers, body: delivery.body });
          busy[me] = (busy[me] ?? 0) - 1;
        });
      };
      const pool = await openWorkerPool(connection, { queue, size: 3, start, concurrency: 4 });
      same(pool.size, 3, "the workers");
      await scene.until(async () => (await scene.messageCount(channel, answers)) === 60, "all answers");
      same(await pool.close(), { requeued: 0, unfinished: 0 }, "closing");
      same([...(await scene.drain(channel, answers))].sort(), numbered(60).sort(), "each once");
      ok(
        busiest.every((most) => most > 0 && most <= 4),
        `every worker took part, within its limit: ${busiest.join()}`,
      );
      same(await scene.left({ connection, channel }, queue), [], "what is left");
    },
  },
  {
    name: "a pool gives back what a lost worker had, says so, and starts another",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const workers: NearbyWorker[] = [];
      const handled: (string | undefined)[] = [];
      const start = (): WorkerLike => {
        const first = workers.length === 0;
        const worker = new NearbyWorker((delivery) => {
          if (first) return new Promise(() => {});
          handled.push(`${text(delivery)}${delivery.redelivered ? " again" : ""}`);
          return undefined;
        });
        workers.push(worker);
        return worker;
      };
      const pool = await openWorkerPool(connection, { queue, size: 1, start });
      const lost = new Promise<{ readonly requeued: number; readonly error: Error; readonly willRestart: boolean }>(
        (resolve) => pool.on("worker-lost", resolve),
      );
      await scene.fill(queue, "a", "b");
      await scene.until(() => pool.running === 2, "both deliveries to be with the worker");
      workers[0]?.die("out of memory");
      const event = await scene.soon(lost, "the loss to be told", soon);
      like(event, { requeued: 2, willRestart: true }, "the event");
      like(event.error, { name: "ThreadError", code: "WORKER_LOST", cause: { message: "out of memory" } }, "the error");
      await scene.until(() => handled.length === 2, "the new worker to handle both");
      same([...handled].map(String).sort(), ["a again", "b again"], "what it handled");
      same([workers.length, workers[0]?.terminated], [2, true], "workers that were started");
      same(await pool.close(), { requeued: 0, unfinished: 0 }, "closing");
    },
  },
  {
    name: "a pool replaces a worker whose channel the server closed, when its handlers are done",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const workers: NearbyWorker[] = [];
      const refusals: unknown[] = [];
      const handled: (string | undefined)[] = [];
      const start = (): WorkerLike => {
        const worker = new NearbyWorker(async (delivery, own) => {
          const missing = text(delivery) === "poison";
          const exchange = missing ? scene.name("missing") : "";
          try {
            await own.basicPublish({ exchange, routingKey: scene.name("nobody"), body: delivery.body });
          } catch (error) {
            refusals.push(error);
            await delivery.nack({ requeue: false });
            return;
          }
          handled.push(text(delivery));
        });
        workers.push(worker);
        return worker;
      };
      const pool = await openWorkerPool(connection, { queue, size: 1, start, concurrency: 1 });
      const lost: { readonly requeued: number; readonly error: Error; readonly willRestart: boolean }[] = [];
      pool.on("worker-lost", (event) => lost.push(event));
      await scene.fill(queue, "poison", "good", "poison", "better");
      await scene.until(() => handled.length === 2 && lost.length === 2, "the others to be handled, by new workers");
      same(handled, ["good", "better"], "what was handled");
      for (const refusal of refusals) like(refusal as Error, { name: "ChannelError", replyCode: 404 }, "the publish");
      same(refusals.length, 2, "each refused message is settled by the handler that saw the refusal");
      for (const event of lost) {
        like(event, { requeued: 0, willRestart: true }, "the event");
        like(event.error, { name: "ThreadError", code: "WORKER_LOST" }, "the error");
        like(event.error.cause as Error, { name: "ChannelError", replyCode: 404 }, "its cause");
      }
      await scene.until(() => pool.size === 1, "the last worker to be replaced");
      same(
        workers.map(({ terminated }) => terminated),
        [true, true, false],
        "workers that were ended",
      );
      same(await pool.close(), { requeued: 0, unfinished: 0 }, "closing");
    },
  },
  {
    name: "a pool gives up when three workers in a row had their channels closed with their first message",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const handler: PoolHandler = ({ body }, own) =>
        own.basicPublish({ exchange: scene.name("missing"), routingKey: "", body });
      const pool = await openWorkerPool(connection, { queue, size: 1, start: () => new NearbyWorker(handler) });
      const lost: boolean[] = [];
      pool.on("worker-lost", ({ willRestart }) => lost.push(willRestart));
      await scene.fill(queue, "poison");
      await scene.soon(pool.ended, "the pool to end", soon);
      same(lost, [true, true, false], "whether another worker took the place");
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 1, "the message to be back");
    },
  },
];
