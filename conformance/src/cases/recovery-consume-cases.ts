/** What becomes of deliveries and consumers when the connection is lost: rows of the table in docs/recovery.md. */

import { type Channel, type ConsumerDelivery, keepConsuming, keepOpen } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same, throws } from "./expect.ts";
import { gate } from "./gate.ts";
import { backoff, comeBack, goDown, holdAnswers, isPending, outage, recovering, recovery } from "./outages.ts";
import { bytes, text } from "./scene.ts";

const needs = ["proxy"] as const;

export const recoveryConsumeCases: readonly ConformanceCase[] = [
  {
    name: "ack, lost on its way: the message comes again",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      await scene.fill(queue, "m");
      const consumer = await all.channel.basicConsume({ queue });
      const first = await consumer.take({ timeout: 30_000 });
      await all.proxy.silence("to-server");
      same(first?.ack(), "settled", "the acknowledgement");
      await outage(scene, all);
      const again = await consumer.take({ timeout: 30_000 });
      same([text(again), again?.redelivered, again?.ack()], ["m", true, "settled"], "the message");
    },
  },
  {
    name: "ack, nack and reject of what was delivered before the loss: stale while down and afterwards, and harmless",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      await scene.fill(queue, "a", "b", "c", "d");
      const consumer = await all.channel.basicConsume({ queue });
      const take = async (): Promise<ConsumerDelivery> =>
        (await consumer.take({ timeout: 30_000 })) as ConsumerDelivery;
      const old = [await take(), await take(), await take(), await take()] as const;
      await goDown(scene, all);
      same([old[0].ack(), old[0].outstanding], ["stale", false], "while down");
      await comeBack(scene, all);
      const fresh = [await take(), await take(), await take(), await take()];
      same([old[1].nack(), old[2].reject(), old[3].ack({ multiple: true })], ["stale", "stale", "stale"], "afterwards");
      await all.channel.queueDeclare({ queue, passive: true });
      same(all.channel.state, "open", "the channel's state");
      for (const delivery of fresh) same(delivery.ack(), "settled", "a fresh delivery");
      await consumer.cancel();
      same(await scene.left(all, queue), [], "messages");
    },
  },
  {
    name: "acknowledgements by number go on over three connections, those of basic.get and of noAck among them",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const tags: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        await scene.fill(queue, "a", "b", "c", "d");
        await all.channel.basicGet({ queue, noAck: true });
        const first = await all.channel.basicGet({ queue });
        const second = await all.channel.basicGet({ queue });
        tags.push(first?.deliveryTag ?? 0, second?.deliveryTag ?? 0);
        if (round > 0) same(all.channel.basicAck({ deliveryTag: tags[0] ?? 0 }), "stale", "an old number");
        same(all.channel.basicAck({ deliveryTag: tags.at(-1) ?? 0, multiple: true }), "settled", "both");
        // An answer on the same channel: the acknowledgement has arrived before the outage. The message is not settled.
        same(text(await all.channel.basicGet({ queue })), "d", "a message that is held");
        await outage(scene, all, round % 2 === 0 ? "cut" : "reset");
        same(await scene.drain(all.onlooker, queue, 1), ["d"], "messages that come back");
      }
      same(
        [...tags].sort((a, b) => a - b),
        tags,
        "the numbers, in order",
      );
      same(new Set(tags).size, tags.length, "different numbers");
    },
  },
  {
    name: "ack of number 0 with multiple means everything of this connection, and nothing of the last one",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      await scene.fill(queue, "a", "b");
      await all.channel.basicGet({ queue });
      await outage(scene, all);
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 2, "the messages");
      await all.channel.basicGet({ queue });
      await all.channel.basicGet({ queue });
      same(all.channel.basicAck({ deliveryTag: 0, multiple: true }), "settled", "everything");
      await scene.fill(queue, "c");
      await all.channel.basicGet({ queue });
      await outage(scene, all);
      same(await scene.drain(all.onlooker, queue, 1), ["c"], "messages that come back");
      throws(
        () => all.channel.basicAck({ deliveryTag: 999 }),
        { code: "UNKNOWN_DELIVERY" },
        "a number that never was, and that is not sent",
      );
    },
  },
  {
    name: "an iterator that waits: goes on waiting, and gets the next message",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const consumer = await all.channel.basicConsume({ queue });
      const next = consumer[Symbol.asyncIterator]().next();
      await outage(scene, all);
      ok(await isPending(scene, next), "it waits");
      await scene.fill(queue, "m");
      same(text((await scene.soon(next, "the message")).value), "m", "the message");
    },
  },
  {
    name: "messages that nobody has taken: come again, and with noAck are kept",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      for (const noAck of [false, true]) {
        const queue = await scene.durableQueue(all.onlooker);
        const consumer = await all.channel.basicConsume({ queue, noAck });
        await scene.fill(queue, "a", "b");
        await scene.until(() => consumer.buffered === 2, "the messages");
        await outage(scene, all);
        const got: unknown[] = [];
        for (let index = 0; index < 2; index += 1) {
          const delivery = await consumer.take({ timeout: 30_000 });
          got.push(text(delivery), delivery?.redelivered);
          if (!noAck) delivery?.ack();
        }
        same(got, ["a", !noAck, "b", !noAck], "the messages");
        await scene.fill(queue, "c");
        const next = await consumer.take({ timeout: 30_000 });
        same([text(next), next?.redelivered], ["c", false], "the next message");
      }
    },
  },
  {
    name: "a handler that runs: goes on, its ack is stale, and it counts for the concurrency",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      await scene.fill(queue, "a", "b", "c");
      let running = 0;
      let most = 0;
      let handled = 0;
      const { passed, open } = gate();
      await all.connection.openConsumer({ queue, prefetch: 3, concurrency: 2 }, async () => {
        running += 1;
        most = Math.max(most, running);
        await passed;
        running -= 1;
        handled += 1;
      });
      await scene.until(() => running === 2, "two handlers");
      await outage(scene, all);
      await scene.until(
        async () => (await scene.messageCount(all.onlooker, queue)) === 0,
        "the messages at the client again",
      );
      same([running, most], [2, 2], "handlers at a time");
      open();
      await scene.until(() => handled === 5, "the old handlers, and three new ones");
      same(most, 2, "handlers at a time");
      await all.connection.close();
      same(await scene.left(await scene.open(), queue), [], "messages");
    },
  },
  {
    name: "the server's cancellation, before the loss: the consumer does not come back",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const consumer = await all.channel.basicConsume({ queue }, () => {});
      await all.onlooker.queueDelete({ queue });
      same((await scene.soon(consumer.ended, "the cancellation")).type, "cancelled-by-server", "its end");
      await all.onlooker.queueDeclare({ queue });
      await outage(scene, all);
      same((await all.onlooker.queueDeclare({ queue, passive: true })).consumerCount, 0, "consumers");
      same(all.connection.recordedCount, 0, "the records");
    },
  },
  {
    name: "a consumer of a stream: goes on behind the message that was handed out last",
    needs: ["proxy", "streams"],
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker, { arguments: { "x-queue-type": "stream" } });
      await scene.fill(queue, "a", "b");
      const got: (string | undefined)[] = [];
      await all.channel.basicConsume(
        { queue, prefetch: 10, arguments: { "x-stream-offset": "first" } },
        (delivery) => void got.push(text(delivery)),
      );
      await scene.until(() => got.length === 2, "two messages");
      await outage(scene, all);
      await scene.fill(queue, "c");
      await scene.until(() => got.length >= 3, "the third");
      same(got, ["a", "b", "c"], "the messages");
    },
  },
  {
    name: "a consumer of a stream that resumes behind what was acknowledged: gets again what was not",
    needs: ["proxy", "streams"],
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker, { arguments: { "x-queue-type": "stream" } });
      await scene.fill(queue, "a", "b", "c");
      const consumer = await all.channel.basicConsume({
        queue,
        prefetch: 10,
        arguments: { "x-stream-offset": "first" },
        resumeBehind: "acknowledged",
      });
      const take = async (): Promise<ConsumerDelivery> =>
        (await consumer.take({ timeout: 30_000 })) as ConsumerDelivery;
      const [first, second, third] = [await take(), await take(), await take()];
      first.ack();
      third.ack();
      await outage(scene, all);
      same([second.outstanding, text(await take()), text(await take())], [false, "b", "c"], "the messages");
    },
  },
  {
    name: "a consumer that is kept: is started again when its queue was deleted, with a queue that is declared anew",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = scene.name("queue");
      scene.deleteAfterwards(queue);
      const got: (string | undefined)[] = [];
      const prepare = (channel: Channel): Promise<unknown> => channel.queueDeclare({ queue });
      const states: string[] = [];
      const onInterruption = (): void => void states.push(kept.state);
      const options = { queue, prepare, backoff, onInterruption };
      const kept = await keepConsuming(all.connection, options, (d) => void got.push(text(d)));
      await all.onlooker.queueDelete({ queue });
      await scene.until(() => states.length > 0, "the cancellation");
      same(states, ["waiting"], "the state when that is told");
      await scene.until(() => kept.state === "consuming", "another consumer");
      await scene.fill(queue, "m");
      await scene.until(() => got.length === 1, "the message");
      await outage(scene, all);
      await scene.fill(queue, "n");
      await scene.until(() => got.includes("n"), "the next message");
      await kept.close();
      same(all.connection.channelCount, 1, "channels");
    },
  },
  {
    name: "a consumer that is kept: is started again when it could not come back, as soon as it can",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const got: (string | undefined)[] = [];
      const causes: unknown[] = [];
      const onInterruption = ({ cause }: { readonly cause: unknown }): void => void causes.push(cause);
      await keepConsuming(all.connection, { queue, backoff, onInterruption }, (d) => void got.push(text(d)));
      await goDown(scene, all);
      await all.onlooker.queueDelete({ queue });
      await comeBack(scene, all);
      await scene.until(() => causes.length >= 2, "two interruptions");
      like(causes.slice(0, 2), [{ code: "CONSUMER_NOT_RECOVERED" }, { replyCode: 404 }], "what was told");
      await all.onlooker.queueDeclare({ queue });
      await scene.fill(queue, "m");
      await scene.until(() => got.length === 1, "the message");
    },
  },
  {
    name: "a channel that is kept open: comes back with its consumers when the server has closed it, and not for ever",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const channel = await all.connection.openChannel();
      keepOpen(channel, { maxPerMinute: 2 });
      const consumer = await channel.basicConsume({ queue });
      const offend = (): Promise<unknown> =>
        fails(
          channel.exchangeDeclare({ exchange: scene.name("missing"), passive: true }),
          { replyCode: 404 },
          "a call",
        );
      for (let round = 0; round < 2; round += 1) {
        await offend();
        // It waits until the channel is open again.
        await scene.soon(channel.queueDeclare({ queue, passive: true }), "the next call");
      }
      await scene.fill(queue, "m");
      same(text(await consumer.take({ timeout: 30_000 })), "m", "the message");
      await offend();
      like(await scene.soon(channel.closed, "its end"), { replyCode: 404 }, "its end");
      same([all.channel.state, all.connection.state], ["open", "open"], "what lives on");
    },
  },
  {
    name: "a consumer for direct replies: is back before requests leave, and old replies find nobody",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const requests = await scene.durableQueue(all.onlooker);
      const replies: (string | undefined)[] = [];
      await all.channel.basicConsume({ queue: "amq.rabbitmq.reply-to", noAck: true }, (delivery) => {
        replies.push(text(delivery));
      });
      const ask = (body: string): Promise<void> =>
        all.channel.basicPublish({
          exchange: "",
          routingKey: requests,
          body: bytes(body),
          properties: { replyTo: "amq.rabbitmq.reply-to" },
        });
      await ask("lost");
      await scene.until(async () => (await scene.messageCount(all.onlooker, requests)) === 1, "the request");
      const old = await all.onlooker.basicGet({ queue: requests, noAck: true });
      await goDown(scene, all);
      const asking = ask("asked");
      await comeBack(scene, all);
      await asking;
      await scene.until(async () => (await scene.messageCount(all.onlooker, requests)) === 1, "the next request");
      const fresh = await all.onlooker.basicGet({ queue: requests, noAck: true });
      for (const request of [old, fresh]) {
        const routingKey = request?.properties.replyTo ?? "";
        await all.onlooker.basicPublish({ exchange: "", routingKey, body: request?.body ?? bytes("") });
      }
      await scene.until(() => replies.length > 0, "the reply");
      same(replies, ["asked"], "the replies");
      same(all.channel.state, "open", "the channel's state");
    },
  },
  {
    name: "a consumer that cannot come back: its iterator throws, its handler's end tells, and others go on",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const gone = await scene.durableQueue(all.onlooker);
      const stays = await scene.durableQueue(all.onlooker);
      const iterator = await all.channel.basicConsume({ queue: gone });
      const handler = await all.connection.openConsumer({ queue: gone }, () => {});
      const kept = await all.channel.basicConsume({ queue: stays });
      const thrown = fails(iterator.take(), { code: "CONSUMER_NOT_RECOVERED" }, "the iterator");
      await goDown(scene, all);
      await all.onlooker.queueDelete({ queue: gone });
      const recovered = recovery(all.connection);
      await comeBack(scene, all);
      same((await recovered).failures.length, 2, "the failures");
      await scene.soon(thrown, "the iterator's end");
      same((await handler.ended).type, "not-recovered", "the handler's end");
      await scene.fill(stays, "m");
      same(text(await kept.take({ timeout: 30_000 })), "m", "the message of the other one");
    },
  },
  {
    name: "a message that was half delivered: comes again as a whole",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const big = "x".repeat(300_000);
      const consumer = await all.channel.basicConsume({ queue });
      await holdAnswers(all);
      await scene.fill(queue, big);
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 0, "the delivery");
      await outage(scene, all, "reset");
      same(text(await consumer.take({ timeout: 30_000 }))?.length, big.length, "its length");
    },
  },
];
