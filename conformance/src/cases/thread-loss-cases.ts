/** Channels of workers whose other end goes away: the worker, the consumer, the channel, the connection. */

import { iterateDeliveries, type WorkerConsumerDelivery } from "@leveret/core/threads";
import type { ConformanceCase } from "./case.ts";
import { fails, like, same } from "./expect.ts";
import { gate } from "./gate.ts";
import { text } from "./scene.ts";
import { apart, fill, numbered, queueOf, threads } from "./thread-scene.ts";

export const threadLossCases: readonly ConformanceCase[] = [
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
      await scene.until(async () => (await scene.messageCount(other, queue)) === 2, "both to be back");
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
      const { passed, open } = gate();
      const consumer = await worker.basicConsume({ queue, concurrency: 1 }, async (delivery) => {
        got.push(text(delivery));
        await passed;
      });
      await scene.until(() => consumer.buffered === 4, "the window to be full");
      const recovered = new Promise((resolve) => connection.on("recovered", resolve));
      await proxy.break("cut");
      await scene.soon(recovered, "recovery");
      await scene.until(() => worker.outstanding === 4 && consumer.buffered === 4, "the window to be full again");
      open();
      await scene.until(() => served.outstanding === 0 && got.length === 7, "all to be handled");
      same(got, ["message 0", ...numbered(6)], "what was handled: twice what was being handled");
      same(await consumer.close(), { requeued: 0 }, "closing");
      await served.close();
      same(await scene.left(await scene.open(), queue), [], "what is left");
    },
  },
];
