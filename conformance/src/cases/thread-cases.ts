/**
 * A channel at the other end of a message port. Both ends are in one thread here, as in any runtime they may be: what
 * travels is cloned all the same. Real workers are the adapters' tests.
 */

import { TypedValue, UnroutableError } from "@leveret/core/client";
import { iterateDeliveries, openWorkerPublisher, type WorkerConsumerDelivery } from "@leveret/core/threads";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same, throws } from "./expect.ts";
import { bytes, text } from "./scene.ts";
import { fill, numbered, queueOf, readyIn, threads } from "./thread-scene.ts";

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
      const { connection, worker, served } = await threads(scene);
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
      await served.close();
      same(await scene.left({ connection, channel: await connection.openChannel() }, queue), [], "messages left");
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
    name: "publishes of a worker arrive in the order of their calls, and what ends a transaction behind them, however many",
    async run(scene) {
      const { connection, worker } = await threads(scene);
      const channel = await connection.openChannel();
      const queue = await queueOf(scene, worker);
      const publish = (text: string): Promise<void> =>
        worker.basicPublish({ exchange: "", routingKey: queue, body: bytes(text) });
      await worker.txSelect();
      const committed = numbered(1500).map(publish);
      await worker.txCommit();
      same(await scene.messageCount(channel, queue), 1500, "what was committed");
      await Promise.all(committed);
      const undone = numbered(1500).map(publish);
      await worker.txRollback();
      await worker.txCommit();
      same(await scene.messageCount(channel, queue), 1500, "what is left after rolling back");
      await Promise.all(undone);
      await channel.queuePurge({ queue });

      const texts = numbered(1001);
      const [first, ...others] = texts.map(publish);
      await first;
      await Promise.all([publish("late"), ...others]);
      await worker.txCommit();
      same(await scene.drain(channel, queue), [...texts, "late"], "the order");
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
];
