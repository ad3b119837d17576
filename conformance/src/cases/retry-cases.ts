/** Messages that fail are tried again later, and put aside in the end. */

import {
  type Channel,
  type ConnectionEvents,
  delayQueueOf,
  jsonCodec,
  decodeMessage,
  deliveryCountOf,
  openRetryingConsumer,
  type RetryAttempt,
  type RetryQueues,
  retryStateOf,
  TypedValue,
} from "@leveret/core/client";
import type { CaseNeed, ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { recovering } from "./outages.ts";
import { bytes, type Scene, text } from "./scene.ts";

type QueueType = NonNullable<RetryQueues["queueType"]>;

/** A queue to work on, and what is needed to try again. */
async function retryQueues(
  scene: Scene,
  channel: Channel,
  delays: readonly number[],
  queueType: QueueType = "classic",
): Promise<RetryQueues & { readonly parkingQueue: string }> {
  const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": queueType } });
  const parkingQueue = `${queue}.parked`;
  for (const name of [...delays.map((delay) => delayQueueOf(queue, delay)), parkingQueue]) scene.deleteAfterwards(name);
  return { queue, delays, queueType, parkingQueue };
}

const needsOf: Readonly<Record<QueueType, CaseNeed[]>> = { classic: [], quorum: ["quorum-queues"] };

export const retryCases: readonly ConformanceCase[] = [
  ...(["classic", "quorum"] as const).map(
    (queueType): ConformanceCase => ({
      name: `what fails is tried again after its delays, in ${queueType} queues, and keeps what it was`,
      needs: needsOf[queueType],
      async run(scene) {
        const { connection, channel } = await scene.open();
        const queues = await retryQueues(scene, channel, [20, 60], queueType);
        const exchange = await scene.exchange(channel, "topic");
        await channel.queueBind({ queue: queues.queue, exchange, routingKey: "order.*" });
        const attempts: (RetryAttempt & { readonly at: number })[] = [];
        const consumer = await openRetryingConsumer(connection, queues, (delivery, attempt) => {
          attempts.push({ ...attempt, at: scene.io.now() });
          same(text(delivery), "a", "the body");
          like(delivery.properties, { type: "order", deliveryMode: 2, headers: { mine: 1 } }, "the properties");
          if (attempt.attempt < 3) throw new Error("not yet");
        });
        const properties = { type: "order", deliveryMode: 2, headers: { mine: 1 } };
        await channel.basicPublish({ exchange, routingKey: "order.new", properties, body: bytes("a") });
        await scene.until(() => consumer.counters.handled === 1, "the message to be handled");
        same(
          attempts.map(({ attempt, isLast }) => [attempt, isLast]),
          [
            [1, false],
            [2, false],
            [3, true],
          ],
          "the attempts",
        );
        for (const attempt of attempts) like(attempt, { exchange, routingKey: "order.new" }, "where it came from");
        const [first, second, third] = attempts.map(({ at }) => at) as [number, number, number];
        ok(second - first >= 19 && third - second >= 59, `the delays were ${second - first} and ${third - second} ms`);
        same(consumer.counters, { handled: 1, retried: 2, parked: 0 }, "the counts");
        await consumer.close();
        for (const delay of queues.delays) {
          same(await scene.drain(channel, delayQueueOf(queues.queue, delay)), [], `messages for ${delay} ms`);
        }
        same(await scene.left({ connection, channel }, queues.queue), [], "messages in the queue");
      },
    }),
  ),
  {
    name: "what fails for good is put aside, with where it came from, and can be tried again by hand",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queues = await retryQueues(scene, channel, [10, 10]);
      const reported: unknown[] = [];
      connection.on("callback-error", ({ error }: ConnectionEvents["callback-error"]) => reported.push(error));
      const problem = new Error("never");
      let failing = true;
      const consumer = await openRetryingConsumer(connection, queues, () => {
        if (failing) throw problem;
      });
      await scene.fill(queues.queue, "poison");
      await scene.until(() => consumer.counters.parked === 1, "the message to be put aside");
      same(consumer.counters, { handled: 0, retried: 2, parked: 1 }, "the counts");
      same(reported, [problem, problem, problem], "what is reported");
      const parked = await channel.basicGet({ queue: queues.parkingQueue });
      ok(parked !== undefined && text(parked) === "poison", "the message");
      same(retryStateOf(parked), { attempt: 4, exchange: "", routingKey: queues.queue }, "what is known of it");
      same(parked.properties.headers?.["x-retry-queue"], queues.queue, "the queue that it came from");
      failing = false;
      const { body, properties } = parked;
      await channel.confirmSelect();
      await channel.basicPublish({ exchange: "", routingKey: queues.queue, properties, body });
      parked.ack();
      await scene.until(() => consumer.counters.handled === 1, "the message to be handled after all");
    },
  },
  {
    name: "what cannot pass is put aside at once",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queues = await retryQueues(scene, channel, [60_000]);
      const codec = jsonCodec<number>();
      const first = await openRetryingConsumer(connection, queues, (delivery) => decodeMessage(codec, delivery));
      await scene.fill(queues.queue, "not JSON");
      await scene.until(() => first.counters.parked === 1, "what cannot be decoded");
      await first.close();
      const shouldRetry = (error: unknown): boolean => !(error instanceof RangeError);
      const second = await openRetryingConsumer(connection, { ...queues, shouldRetry }, () => {
        throw new RangeError("too many");
      });
      await scene.fill(queues.queue, "refused");
      await scene.until(() => second.counters.parked === 1, "what shouldRetry refuses");
      same(await scene.drain(channel, queues.parkingQueue), ["not JSON", "refused"], "what was put aside");
    },
  },
  {
    name: "a copy goes to no other queue, waits its whole time, and is taken from any user",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queues = await retryQueues(scene, channel, [600]);
      const other = await scene.queue(channel);
      const times: number[] = [];
      const consumer = await openRetryingConsumer(connection, queues, (_, { attempt }) => {
        times.push(scene.io.now());
        if (attempt === 1) throw new Error("once more");
      });
      const properties = {
        headers: {
          CC: [other],
          "x-death": [{ queue: queues.queue, reason: "expired", count: 1 }],
          large: new TypedValue("double", 1e300),
        },
        expiration: "300",
        userId: scene.broker.username,
      };
      await channel.basicPublish({ exchange: "", routingKey: queues.queue, properties, body: bytes("a") });
      let elsewhere = 0;
      await scene.until(async () => {
        elsewhere += (await scene.drain(channel, other)).length;
        return consumer.counters.handled === 1;
      }, "the message to be handled");
      ok((times[1] as number) - (times[0] as number) >= 599, "it waited");
      await consumer.close();
      elsewhere += (await scene.drain(channel, other)).length;
      same(elsewhere, 1, "messages in the other queue");
    },
  },
  {
    name: "a message that ends its consumer again and again is put aside before it is handled once more",
    needs: ["quorum-queues"],
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queues = await retryQueues(scene, channel, [10], "quorum");
      await scene.fill(queues.queue, "poison");
      const ending = await channel.basicConsume({ queue: queues.queue, prefetch: 1 });
      let count = 0;
      while (count < 3) {
        const delivery = await scene.soon(ending.take(), "the message");
        if (delivery === undefined) continue;
        count = deliveryCountOf(delivery);
        delivery.reject();
      }
      await ending.cancel();
      let handled = 0;
      const consumer = await openRetryingConsumer(connection, { ...queues, maxRedeliveries: 3 }, () => (handled += 1));
      await scene.until(() => consumer.counters.parked === 1, "the message to be put aside");
      same(handled, 0, "how often it was handled");
      same(await scene.drain(channel, queues.parkingQueue), ["poison"], "what was put aside");
    },
  },
  {
    name: "a message whose copy nobody takes is tried again here after a pause, or goes back when its consumer ends",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queues = await retryQueues(scene, channel, [25]);
      const reported: unknown[] = [];
      connection.on("callback-error", ({ error }: ConnectionEvents["callback-error"]) => reported.push(error));
      const redelivered: boolean[] = [];
      const consumer = await openRetryingConsumer(connection, queues, (delivery) => {
        redelivered.push(delivery.redelivered);
        if (redelivered.length === 1) throw new Error("once more");
      });
      await channel.queueDelete({ queue: delayQueueOf(queues.queue, 25) });
      await scene.fill(queues.queue, "a");
      await scene.until(() => consumer.counters.handled === 1, "the message to be handled");
      same(redelivered, [false, false], "the attempts");
      like(reported[1], { code: "UNROUTABLE" }, "what is reported");
      same(consumer.counters, { handled: 1, retried: 0, parked: 0 }, "the counts");
      redelivered.length = 0;
      await scene.fill(queues.queue, "b");
      await scene.until(() => reported.length === 4, "its copy to be refused");
      same(await consumer.close(), { requeued: 0, unfinished: 0 }, "closing");
      await scene.until(async () => (await scene.messageCount(channel, queues.queue)) === 1, "it to be back");
    },
  },
  {
    name: "a message whose copy nobody takes is not counted down meanwhile by its queue, which would drop it",
    needs: ["quorum-queues"],
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queues = await retryQueues(scene, channel, [25], "quorum");
      const counts: number[] = [];
      const consumer = await openRetryingConsumer(connection, { ...queues, maxRedeliveries: 1 }, (delivery) => {
        counts.push(deliveryCountOf(delivery));
        if (counts.length < 4) throw new Error("once more");
      });
      await channel.queueDelete({ queue: delayQueueOf(queues.queue, 25) });
      await scene.fill(queues.queue, "a");
      await scene.until(() => consumer.counters.handled === 1, "the message to be handled");
      same(counts, [0, 0, 0, 0], "what the queue has counted");
      same(consumer.counters, { handled: 1, retried: 0, parked: 0 }, "the counts");
    },
  },
  {
    name: "a message that has no room for a retry's headers is put aside without its own, and is told",
    async run(scene) {
      const { connection, channel } = await scene.open({ frameMax: 8192 });
      const queues = await retryQueues(scene, channel, [25]);
      const reported: unknown[] = [];
      connection.on("callback-error", ({ error }: ConnectionEvents["callback-error"]) => reported.push(error));
      let handled = 0;
      const consumer = await openRetryingConsumer(connection, queues, () => {
        handled += 1;
        throw new Error("once more");
      });
      // The frame of the properties holds 8184 bytes, and is nearly full.
      const properties = { type: "order", headers: { mine: "x".repeat(8_096) } };
      await channel.basicPublish({ exchange: "", routingKey: queues.queue, properties, body: bytes("a") });
      await scene.until(() => consumer.counters.parked === 1, "the message to be put aside");
      const parked = await channel.basicGet({ queue: queues.parkingQueue, noAck: true });
      same(text(parked), "a", "the body");
      like(parked?.properties, { type: "order", headers: { "x-retry-without-headers": true } }, "the properties");
      like(parked && retryStateOf(parked), { attempt: 2, exchange: "", routingKey: queues.queue }, "where it stood");
      like(reported[1], { code: "INVALID_ARGUMENT", cause: { code: "INVALID_ARGUMENT" } }, "what is reported");
      same([handled, reported.length, consumer.counters.retried], [1, 2, 0], "the attempts");
      await consumer.close();
      same(await scene.left({ connection, channel }, queues.queue), [], "messages");
    },
  },
  {
    name: "nothing is lost when the connection goes between a failure and the confirm of its copy",
    needs: ["proxy"],
    timeout: 60_000,
    async run(scene) {
      const all = await recovering(scene);
      const queues = await retryQueues(scene, all.onlooker, [2_000]);
      const failed = new Set<string>();
      const handled = new Set<string>();
      let silence!: () => void;
      const silenced = new Promise<void>((resolve) => {
        // What the server says of the copies does not arrive.
        silence = () => void all.proxy.silence("to-client").then(resolve);
      });
      const consumer = await openRetryingConsumer(all.connection, queues, async (delivery, { attempt }) => {
        const name = text(delivery) as string;
        if (attempt > 1 || failed.size === 5) return void handled.add(name);
        failed.add(name);
        if (failed.size === 5) silence();
        await silenced;
        throw new Error("once more");
      });
      await scene.fill(queues.queue, ..."abcde");
      await scene.until(() => failed.size === 5, "five failures");
      const delayed = delayQueueOf(queues.queue, 2_000);
      await scene.until(async () => (await scene.messageCount(all.onlooker, delayed)) > 0, "a copy at the server");
      await all.proxy.break("cut");
      await all.proxy.speak();
      await scene.until(() => handled.size === 5, "all to be handled");
      await scene.until(async () => {
        const counts = [queues.queue, delayed].map((queue) => scene.messageCount(all.onlooker, queue));
        return (await Promise.all(counts)).every((count) => count === 0);
      }, "the queues to be empty");
      // A copy of a message that came again may have been delivered just now.
      const { requeued } = await consumer.close();
      await scene.until(
        async () => (await scene.messageCount(all.onlooker, queues.queue)) === requeued,
        "what went back",
      );
      same(await scene.messageCount(all.onlooker, queues.parkingQueue), 0, "messages that were put aside");
    },
  },
  {
    name: "what makes no sense is refused at the call",
    async run(scene) {
      const connection = await scene.connect();
      const refused = { name: "UsageError", code: "INVALID_ARGUMENT" };
      const handler = (): void => {};
      for (const wrong of [
        { queue: "", delays: [1] },
        { queue: "q", delays: [0] },
        { queue: "q", delays: [1.5] },
        { queue: "q", delays: 5 as never },
        { queue: "q", delays: [1], queueType: "stream" as never },
        { queue: "q", delays: [1], parkingQueue: "q" },
        { queue: "q", delays: [1], maxRedeliveries: -1 },
        { queue: "q", delays: [1], shouldRetry: true as never },
      ]) {
        await fails(openRetryingConsumer(connection, wrong, handler), refused, JSON.stringify(wrong));
      }
      await fails(openRetryingConsumer(connection, { queue: "q", delays: [] }, "x" as never), refused, "no handler");
      same(connection.channelCount, 0, "channels");
    },
  },
];
