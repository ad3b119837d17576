/**
 * A channel at the other end of a message port. Both ends are in one thread here, as in any runtime they may be: what
 * travels is cloned all the same. Real workers are the adapters' tests.
 */

import { type Connection, type Millis, TypedValue, UnroutableError } from "@leveret/core/client";
import {
  handleDeliveries,
  iterateDeliveries,
  openWorkerPool,
  openWorkerPublisher,
  type PoolHandler,
  serveChannel,
  type ServedChannel,
  type ServeOptions,
  type ThreadPort,
  workerChannel,
  type WorkerChannel,
  type WorkerConsumerDelivery,
  type WorkerLike,
} from "@leveret/core/threads";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same, throws } from "./expect.ts";
import { bytes, type Scene, text } from "./scene.ts";

const soon: Millis = 10_000;

interface Threads {
  readonly connection: Connection;
  readonly served: ServedChannel;
  readonly worker: WorkerChannel;
}

/** A connection, whose channel is used through a port. */
async function threads(scene: Scene, options: ServeOptions = {}): Promise<Threads> {
  const connection = await scene.connect();
  return { connection, ...(await apart(scene, connection, options)) };
}

async function apart(
  scene: Scene,
  connection: Connection,
  options: ServeOptions = {},
): Promise<Omit<Threads, "connection">> {
  const { port1, port2 } = new MessageChannel();
  const [served, worker] = await Promise.all([serveChannel(connection, port1, options), workerChannel(port2)]);
  scene.after(() => served.close());
  return { served, worker };
}

/** A queue of the connection, made from the other end. */
async function queueOf(scene: Scene, worker: WorkerChannel): Promise<string> {
  return (await worker.queueDeclare({ queue: scene.name("queue"), exclusive: true })).queue;
}

/** Publishes texts, and waits until they are there. */
async function fill(worker: WorkerChannel, queue: string, ...texts: string[]): Promise<void> {
  if (worker.mode === "plain") await worker.confirmSelect();
  await Promise.all(texts.map((one) => worker.basicPublish({ exchange: "", routingKey: queue, body: bytes(one) })));
}

/** How many messages are ready in a queue. */
async function readyIn(worker: WorkerChannel, queue: string): Promise<number> {
  return (await worker.queueDeclare({ queue, passive: true })).messageCount;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);

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

export const threadCases: readonly ConformanceCase[] = [
  {
    name: "a worker declares, publishes, gets and settles",
    async run(scene) {
      const { worker } = await threads(scene);
      const queue = await queueOf(scene, worker);
      await worker.confirmSelect();
      const properties = { contentType: "text/plain", headers: { n: new TypedValue("int64", 5n), when: new Date(0) } };
      await worker.basicPublish({ exchange: "", routingKey: queue, body: bytes("a"), properties });
      const message = await worker.basicGet({ queue });
      same([text(message), message?.messageCount, message?.redelivered], ["a", 0, false], "the message");
      same(message?.properties, { contentType: "text/plain", headers: { n: 5, when: new Date(0) } }, "its properties");
      same(message?.outstanding, true, "outstanding");
      same(await message?.ack(), "settled", "settling");
      throws(() => message?.ack(), { name: "SettlementError", code: "ALREADY_SETTLED" }, "settling again");
      same(await worker.basicGet({ queue }), undefined, "what is left");
      same((await worker.queueDelete({ queue })).messageCount, 0, "deleting");
    },
  },
  {
    name: "deliveries arrive in order, and are settled by what their handlers do",
    async run(scene) {
      const { worker, served } = await threads(scene);
      const queue = await queueOf(scene, worker);
      await fill(worker, queue, ...numbered(300));
      const got: (string | undefined)[] = [];
      const again: (string | undefined)[] = [];
      const consumer = await worker.basicConsume({ queue, prefetch: 20, concurrency: 1 }, async (delivery) => {
        if (delivery.redelivered) return void again.push(text(delivery));
        got.push(text(delivery));
        if (got.length === 7) throw new Error("the seventh");
      });
      await scene.until(() => got.length === 300 && again.length === 1, "all deliveries");
      same(got, numbered(300), "the order");
      same(again, ["message 6"], "what came again");
      same(await consumer.close(), { requeued: 0 }, "closing");
      await scene.until(() => served.outstanding === 0, "everything to be settled");
      same((await worker.queueDelete({ queue })).messageCount, 0, "messages left");
    },
  },
  {
    name: "large and small bodies arrive whole, and a large one may be handed over",
    async run(scene) {
      const { worker } = await threads(scene);
      const queue = await queueOf(scene, worker);
      await worker.confirmSelect();
      const sizes = [0, 1, 1000, 20_000, 300_000];
      const bodies = sizes.map((size) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) % 256));
      const expected = bodies.map((body) => body.slice());
      await Promise.all(
        bodies.map((body) => worker.basicPublish({ exchange: "", routingKey: queue, body, transfer: true })),
      );
      same(bodies[4]?.length, 0, "what is left of a body that was handed over");
      for (const body of expected) {
        const message = await worker.basicGet({ queue, noAck: true });
        same(message?.body, body, `a body of ${body.length} bytes`);
      }
    },
  },
  {
    name: "a worker's errors are of the same classes, and say the same",
    async run(scene) {
      const { worker } = await threads(scene);
      const queue = await queueOf(scene, worker);
      await worker.confirmSelect();
      const lost = worker.basicPublish({
        exchange: "",
        routingKey: scene.name("none"),
        mandatory: true,
        body: bytes("x"),
      });
      const unroutable = await fails(lost, { code: "UNROUTABLE", replyCode: 312, outcome: "refused" }, "publishing");
      ok(unroutable instanceof UnroutableError && text(unroutable.returned) === "x", "the message is in the error");
      await fails(
        worker.basicPublish({ exchange: "", routingKey: queue } as never),
        { code: "INVALID_ARGUMENT" },
        "no body",
      );
      await fails(
        worker.queueDeclare({ arguments: { f: (() => {}) as never } }),
        { code: "INVALID_ARGUMENT" },
        "a function",
      );
      const missing = worker.basicGet({ queue: scene.name("none") });
      const expected = { name: "ChannelError", replyCode: 404, method: "basic.get", outcome: "refused" };
      await fails(missing, expected, "getting from nowhere");
      like(await worker.closed, { name: "ChannelError", replyCode: 404 }, "the channel's end");
      same(worker.state, "closed", "the state");
      await fails(worker.basicGet({ queue }), { name: "ChannelError", outcome: "not-sent" }, "a call afterwards");
    },
  },
  {
    name: "no more deliveries travel than the window has room for, by count and by bytes",
    async run(scene) {
      for (const window of [{ maxDeliveries: 5 }, { maxDeliveryBytes: 2000 }]) {
        const { worker, served } = await threads(scene, window);
        const queue = await queueOf(scene, worker);
        await fill(worker, queue, ...numbered(100));
        const got: string[] = [];
        const consumer = await worker.basicConsume({ queue, prefetch: 0, concurrency: 1 }, (d) => {
          got.push(text(d) as string);
        });
        consumer.pause();
        await scene.until(() => consumer.buffered > 0, "deliveries to arrive");
        // Everything that was sent before the answer to this has arrived with it.
        await worker.basicGet({ queue });
        const most = consumer.buffered;
        ok(most <= 8, `${most} deliveries travelled`);
        ok(served.outstanding <= got.length + most + 1, "no more are lent than travelled");
        consumer.resume();
        await scene.until(() => got.length >= 99, "the rest");
        await consumer.close();
        await served.close();
      }
    },
  },
  {
    name: "cancelling a worker's consumer tells how many messages went back, from both threads",
    async run(scene) {
      const { worker } = await threads(scene, { maxDeliveries: 4 });
      const queue = await queueOf(scene, worker);
      await fill(worker, queue, ...numbered(30));
      const taken: WorkerConsumerDelivery[] = [];
      const consumer = await worker.basicConsume(
        { queue, prefetch: 10, settle: "manual", concurrency: 1 },
        (delivery) => {
          taken.push(delivery);
          return new Promise(() => {});
        },
      );
      await scene.until(() => consumer.buffered >= 3, "deliveries to wait");
      await scene.until(async () => (await readyIn(worker, queue)) === 20, "the prefetch to be used");
      same(await consumer.cancel(), 9, "what went back");
      same((await consumer.ended).type, "cancelled", "the end");
      same(await taken[0]?.ack(), "settled", "settling what was taken");
      await scene.until(async () => (await readyIn(worker, queue)) === 29, "the messages to be back");
    },
  },
  {
    name: "what a worker had goes back when it is gone, and a typed error says so",
    async run(scene) {
      const { worker, served, connection } = await threads(scene);
      const other = await connection.openChannel();
      const queue = await scene.queue(other);
      await fill(worker, queue, "a", "b", "c");
      const got: WorkerConsumerDelivery[] = [];
      await worker.basicConsume({ queue, settle: "manual" }, (delivery) => void got.push(delivery));
      await scene.until(() => got.length === 3, "the deliveries");
      await got[0]?.ack();
      const underWay = worker.basicGet({ queue });
      underWay.catch(() => {});
      worker.release();
      const end = await scene.soon(served.closed, "the end of serving");
      like(end.error, { name: "ThreadError", code: "PORT_CLOSED" }, "why");
      same(end.requeued, 2, "what went back");
      await fails(
        worker.basicGet({ queue }),
        { name: "ThreadError", code: "PORT_CLOSED", outcome: "not-sent" },
        "a call",
      );
      same(got[1]?.outstanding, false, "outstanding");
      const seen = [await other.basicGet({ queue }), await other.basicGet({ queue })];
      same(
        seen.map((one) => [text(one), one?.redelivered]),
        [
          ["b", true],
          ["c", true],
        ],
        "the messages",
      );
    },
  },
  {
    name: "closing in the connection's thread ends the worker's calls",
    async run(scene) {
      const { worker, served } = await threads(scene);
      const queue = await queueOf(scene, worker);
      const consumer = await worker.basicConsume({ queue }, () => {});
      same((await served.close()).error, undefined, "the end there");
      like(await scene.soon(worker.closed, "the end here"), { code: "PORT_CLOSED" }, "the end here");
      same((await consumer.ended).type, "port-closed", "the consumer's end");
      await fails(worker.queueDeclare({}), { name: "ThreadError", retryable: true }, "a call");
    },
  },
  {
    name: "a consumer that the server cancels ends in the worker as well",
    async run(scene) {
      const { worker } = await threads(scene);
      const queue = await queueOf(scene, worker);
      const cancelled = new Promise((resolve) => worker.on("cancel", resolve));
      const consumer = await worker.basicConsume({ queue, consumerTag: "mine" }, () => {});
      await worker.queueDelete({ queue });
      same((await scene.soon(consumer.ended, "the end")).type, "cancelled-by-server", "the end");
      same(await scene.soon(cancelled, "the event"), { consumerTag: "mine" }, "the event");
    },
  },
  {
    name: "calls and publishes of a worker can be given up",
    async run(scene) {
      const { worker } = await threads(scene);
      const queue = await queueOf(scene, worker);
      const controller = new AbortController();
      const reason = { own: "reason" };
      controller.abort(reason);
      const { signal } = controller;
      const error = await fails(worker.basicGet({ queue, signal }), { code: "ABORTED", outcome: "not-sent" }, "a call");
      ok(error.cause === reason, "the reason is the caller's own");
      const late = new AbortController();
      const getting = worker.basicGet({ queue, signal: late.signal });
      late.abort(reason);
      const given = await getting.catch((problem: Error) => problem);
      ok(given === undefined || (given as Error).cause === reason, "it is answered, or given up");
    },
  },
  {
    name: "settling what was lost with its connection is stale in the worker",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection } = await scene.openThrough(proxy, { recovery: { backoff: { base: 50, max: 500 } } });
      const { worker } = await apart(scene, connection);
      const queue = scene.name("queue");
      const { channel: onlooker } = await scene.open();
      scene.after(() => onlooker.queueDelete({ queue }));
      await worker.queueDeclare({ queue });
      await fill(worker, queue, "a");
      const got: WorkerConsumerDelivery[] = [];
      await worker.basicConsume({ queue, settle: "manual" }, (delivery) => void got.push(delivery));
      await scene.until(() => got.length === 1, "the delivery");
      const recovered = new Promise((resolve) => connection.on("recovered", resolve));
      await proxy.break("cut");
      await scene.soon(recovered, "recovery");
      await scene.until(() => got.length === 2, "the delivery again");
      same(await got[0]?.ack(), "stale", "settling the first");
      same(await got[1]?.ack(), "settled", "settling the second");
      same([text(got[1]), got[1]?.redelivered], ["a", true], "the second");
    },
  },
  {
    name: "a worker has a publisher: confirms, failures that are tied to their messages, and sending without promises",
    async run(scene) {
      const { worker } = await threads(scene);
      const queue = await queueOf(scene, worker);
      const publisher = await openWorkerPublisher(worker, {
        routingKey: queue,
        mandatory: true,
        maxUnconfirmed: 10,
        properties: { appId: "worker" },
      });
      const nowhere = scene.name("nowhere");
      const outcomes = await Promise.allSettled(
        numbered(20).map((one, i) => publisher.publish(bytes(one), i % 5 === 0 ? { routingKey: nowhere } : {})),
      );
      same(
        outcomes.map((outcome) => (outcome.status === "fulfilled" ? "well" : (outcome.reason as Error).name)),
        outcomes.map((_, i) => (i % 5 === 0 ? "UnroutableError" : "well")),
        "what became of each",
      );
      same(publisher.unconfirmed, 0, "unconfirmed");
      const message = await worker.basicGet({ queue, noAck: true });
      like(message?.properties, { appId: "worker", deliveryMode: 2 }, "the properties");
      await worker.queuePurge({ queue });

      let waits = 0;
      for (const one of numbered(100)) {
        if (publisher.send(bytes(one), { properties: { type: "sent" } })) continue;
        waits += 1;
        await publisher.ready();
      }
      await publisher.flush();
      ok(waits > 0, "it says when there is no room");
      same(await readyIn(worker, queue), 100, "messages that were sent");

      const failed: unknown[] = [];
      publisher.on("failed", ({ error, message: { routingKey } }) => failed.push([error.code, routingKey]));
      publisher.send(bytes("lost"), { routingKey: nowhere });
      const expected = { name: "FlushError", failed: 1, errors: [{ code: "UNROUTABLE" }] };
      await fails(publisher.flush(), expected, "flushing");
      same(failed, [["UNROUTABLE", nowhere]], "what listeners heard");
      await publisher.flush();
      throws(() => publisher.send("text" as never), { code: "INVALID_ARGUMENT" }, "a text");
      throws(
        () => publisher.send(bytes(""), { properties: { expiration: "soon" } }),
        { code: "INVALID_ARGUMENT" },
        "an expiration that is none",
      );
      await worker.close();
      await fails(publisher.publish(bytes("late")), { name: "ChannelError", outcome: "not-sent" }, "after the end");
    },
  },
  {
    name: "a worker iterates over deliveries; leaving the loop gives back what nobody took",
    async run(scene) {
      const { worker, served } = await threads(scene, { maxDeliveries: 5 });
      const queue = await queueOf(scene, worker);
      await fill(worker, queue, ...numbered(40));
      const got: (string | undefined)[] = [];
      for await (const delivery of await iterateDeliveries(worker, { queue, prefetch: 20 })) {
        got.push(text(delivery));
        void delivery.ack();
        if (got.length === 30) break;
      }
      same(got, numbered(30), "what was taken, in order");
      await scene.until(() => served.outstanding === 0, "everything to be settled or back");
      await scene.until(async () => (await readyIn(worker, queue)) === 10, "the rest in the queue");

      const consumer = await iterateDeliveries(worker, { queue });
      await scene.until(() => served.outstanding === 6, "the window, and the one at hand");
      like(await consumer.take(), { redelivered: true }, "the first");
      same(await consumer.cancel(), 9, "what went back");
      same(await consumer.cancel(), 9, "cancelling again");
      same(await consumer.take(), undefined, "a message after the end");
      await scene.until(() => served.outstanding === 1, "the one that was taken");
    },
  },
  {
    name: "a loop in a worker ends with what ended its consumer",
    async run(scene) {
      const { worker, connection } = await threads(scene);
      const queue = await queueOf(scene, worker);
      const controller = new AbortController();
      const first = await iterateDeliveries(worker, { queue });
      const given = first.take({ signal: controller.signal });
      controller.abort("enough");
      await fails(given, { name: "AbortError", cause: "enough" }, "a take that was given up");
      const waiting = first.take();
      await fill(worker, queue, "a", "b");
      same(text(await scene.soon(waiting, "the message")), "a", "a message that was waited for");
      const { channel } = await scene.open();
      await fails(channel.queueDelete({ queue }), { replyCode: 405 }, "another connection");
      await worker.queueDelete({ queue });
      await scene.soon(first.consumer.ended, "the end");
      same(text(await first.take()), "b", "what was here already");
      await fails(first.take(), { name: "ConsumerCancelledError" }, "the deleted queue's consumer");

      const other = await queueOf(scene, worker);
      const second = await iterateDeliveries(worker, { queue: other, noAck: true });
      const refused = fails(second.take(), { name: "ChannelError", replyCode: 404 }, "the loop");
      await fails(worker.basicGet({ queue: scene.name("none") }), { replyCode: 404 }, "getting from nowhere");
      await scene.soon(refused, "the end of the loop");

      const { worker: third } = await apart(scene, connection);
      const consumer = await iterateDeliveries(third, { queue: other });
      const last = consumer.take();
      await connection.close();
      same(await scene.soon(last, "the end of the last loop"), undefined, "an end in order");
    },
  },
  {
    name: "what waits for a handler in a worker when the connection is lost is handled once, when it comes again",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection } = await scene.openThrough(proxy, { recovery: { backoff: { base: 50, max: 500 } } });
      const { worker, served } = await apart(scene, connection, { maxDeliveries: 4 });
      const queue = scene.name("queue");
      const { channel: onlooker } = await scene.open();
      scene.after(() => onlooker.queueDelete({ queue }));
      await worker.queueDeclare({ queue });
      await fill(worker, queue, ...numbered(6));
      const got: (string | undefined)[] = [];
      let goOn = (): void => {};
      const goesOn = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const consumer = await worker.basicConsume({ queue, concurrency: 1 }, async (delivery) => {
        got.push(text(delivery));
        await goesOn;
      });
      await scene.until(() => consumer.buffered === 4, "the window to be full");
      const recovered = new Promise((resolve) => connection.on("recovered", resolve));
      await proxy.break("cut");
      await scene.soon(recovered, "recovery");
      await scene.until(() => worker.outstanding === 4 && consumer.buffered === 4, "the window to be full again");
      goOn();
      await scene.until(() => served.outstanding === 0 && got.length === 7, "all to be handled");
      same(got, ["message 0", ...numbered(6)], "what was handled: twice what was being handled");
      same(await consumer.close(), { requeued: 0 }, "closing");
      same((await onlooker.queueDeclare({ queue, passive: true })).messageCount, 0, "what is left");
    },
  },
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
      same(await scene.messageCount(channel, queue), 0, "what is left");
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
];
