/** Consumers to iterate over. */

import type { IterableConsumer } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, ok, same, throws } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const iterateCases: readonly ConformanceCase[] = [
  {
    name: "a loop takes messages one by one, and leaving it gives back what was not taken",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ..."abcdef");
      const consumer = await channel.basicConsume({ queue, prefetch: 10 });
      const got: (string | undefined)[] = [];
      for await (const delivery of consumer) {
        got.push(text(delivery));
        delivery.ack();
        if (got.length === 3) break;
      }
      same(got, ["a", "b", "c"], "what was taken");
      same(consumer.state, "ended", "the state");
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 3, "the others to be back");
      same(await scene.drain(channel, queue), ["d", "e", "f"], "what is in the queue");
    },
  },
  {
    name: "cancelling tells how many messages went back",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ..."abcde");
      const consumer = await channel.basicConsume({ queue });
      const first = await scene.soon(consumer.take(), "a message");
      await scene.until(() => consumer.buffered === 4, "the others");
      same(await consumer.cancel(), 4, "the count");
      first?.ack();
      same(await consumer.take(), undefined, "what comes afterwards");
    },
  },
  {
    name: "waiting for a message may have an end",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue });
      same(await consumer.take({ timeout: 30 }), undefined, "after the time");
      const controller = new AbortController();
      const taking = consumer.take({ signal: controller.signal });
      controller.abort();
      await fails(taking, { name: "AbortError" }, "after the signal");
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("a") });
      same(text(await scene.soon(consumer.take(), "a message")), "a", "the next message");
    },
  },
  {
    name: "a loop ends when the consumer is cancelled, or its channel is closed",
    async run(scene) {
      for (const way of ["cancel", "close"] as const) {
        const { channel } = await scene.open();
        const consumer = await channel.basicConsume({ queue: await scene.queue(channel) });
        const loop = (async () => {
          for await (const delivery of consumer) delivery.ack();
        })();
        await (way === "cancel" ? consumer.cancel() : channel.close());
        await scene.soon(loop, "the loop to end");
      }
    },
  },
  {
    name: "a loop throws when the server cancels the consumer, or closes the channel",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue });
      const loop = (async () => {
        for await (const delivery of consumer) delivery.ack();
      })();
      const cancelled = fails(loop, { name: "ConsumerCancelledError", code: "CONSUMER_CANCELLED" }, "the loop");
      await (await connection.openChannel()).queueDelete({ queue });
      await scene.soon(cancelled, "the loop to end");
      const second = await channel.basicConsume({ queue: await scene.queue(channel) });
      const failed = fails(second.take(), { name: "ChannelError", replyCode: 404 }, "the second");
      await fails(channel.queueDeclare({ queue: scene.name("none"), passive: true }), {}, "a failing call");
      await scene.soon(failed, "the second to end");
    },
  },
  {
    name: "without acknowledgements, what was received before the end can still be taken",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a", "b");
      const consumer = await channel.basicConsume({ queue, noAck: true });
      await scene.until(() => consumer.buffered === 2, "both to come");
      await channel.close();
      const got: (string | undefined)[] = [];
      for await (const delivery of consumer) got.push(text(delivery));
      same(got, ["a", "b"], "what was taken");
    },
  },
  {
    name: "a loop with an inactivityTimeout turns without a message now and then, and goes on",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue });
      const got: (string | undefined)[] = [];
      const loop = (async () => {
        for await (const delivery of consumer.iterate({ inactivityTimeout: 30 })) {
          // Of several turns without a message in a row, one is kept.
          if (delivery === undefined && got.length > 0 && got.at(-1) === undefined) continue;
          got.push(text(delivery));
          delivery?.ack();
          if (got.length === 5) break;
        }
      })();
      await scene.until(() => got.length === 1, "a turn without a message");
      await scene.fill(queue, "a");
      await scene.until(() => got.length === 3, "the message, and a turn without one");
      await scene.fill(queue, "b");
      await scene.soon(loop, "the loop to be left");
      same(got, [undefined, "a", undefined, "b", undefined], "what the loop got");
      same(consumer.state, "ended", "the consumer");
    },
  },
  {
    name: "a loop with an inactivityTimeout ends as any other, with what the consumer ended for",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const loop = async (consumer: IterableConsumer, signal?: AbortSignal): Promise<void> => {
        for await (const delivery of consumer.iterate({ inactivityTimeout: 10, signal })) delivery?.ack();
      };
      const cancelled = await channel.basicConsume({ queue: await scene.queue(channel) });
      const ended = loop(cancelled);
      await cancelled.cancel();
      await scene.soon(ended, "the loop to end");
      const queue = await scene.queue(channel);
      const failed = fails(loop(await channel.basicConsume({ queue })), { code: "CONSUMER_CANCELLED" }, "the second");
      await (await connection.openChannel()).queueDelete({ queue });
      await scene.soon(failed, "the second loop to end");
      const controller = new AbortController();
      const third = await channel.basicConsume({ queue: await scene.queue(channel) });
      const aborted = fails(loop(third, controller.signal), { code: "ABORTED" }, "the third");
      controller.abort();
      await scene.soon(aborted, "the third loop to end");
      throws(() => third.iterate({ inactivityTimeout: -1 }), { code: "INVALID_ARGUMENT" }, "a negative time");
    },
  },
  {
    name: "two loops share the messages of one consumer",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue, prefetch: 2 });
      const got: string[][] = [[], []];
      const loops = got.map(async (mine) => {
        for await (const delivery of consumer) {
          mine.push(text(delivery) as string);
          // Each loop has one, and waits until the other one has one, too.
          await scene.until(() => got.every((one) => one.length >= mine.length), "the other loop");
          delivery.ack();
        }
      });
      await scene.fill(queue, ..."abcdef");
      await scene.until(() => got.flat().length === 6, "all messages");
      await consumer.close();
      await scene.soon(Promise.all(loops), "the loops to end");
      same([got.map(({ length }) => length), got.flat().sort()], [[3, 3], [..."abcdef"]], "who got what");
    },
  },
  {
    name: "a consumer that is paused hands out nothing, and its loop goes on when it is resumed",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue, prefetch: 3 });
      consumer.pause();
      await scene.fill(queue, ..."abcde");
      await scene.until(() => consumer.buffered === 3, "the prefetch to be here");
      same(await consumer.take({ timeout: 30 }), undefined, "what is handed out");
      same([consumer.paused, consumer.buffered], [true, 3], "what waits");
      const next = consumer.take();
      consumer.resume();
      same(text(await scene.soon(next, "a message")), "a", "the first message");
      same(await consumer.cancel(), 2, "messages that went back");
    },
  },
  {
    name: "what waits in a consumer is bounded without a prefetch, too: the server is made to wait",
    timeout: 60_000,
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const { connection: other } = await scene.open();
      const publisher = await other.openPublisher({ routingKey: queue, persistent: false, maxUnconfirmed: 10_000 });
      const consumer = await channel.basicConsume({ queue, prefetch: 0 });
      const count = 3000;
      const body = new Uint8Array(10_000);
      for (let i = 0; i < count; i += 1) if (!publisher.send(body)) await publisher.ready();
      await scene.soon(publisher.flush(), "all to be published", 30_000);
      await scene.until(() => consumer.buffered > 0, "messages to come");
      ok(consumer.buffered < count, `${consumer.buffered} messages wait here`);
      // Whoever waits for an answer gets it, from behind what nobody has room for.
      await scene.soon(channel.queueDeclare({ queue, passive: true }), "an answer");
      for (let i = 0; i < count; i += 1) (await scene.soon(consumer.take(), `message ${i}`))?.ack();
      same([consumer.buffered, await consumer.cancel()], [0, 0], "what is left");
    },
  },
];
