/** Consumers to iterate over. */

import type { ConformanceCase } from "./case.ts";
import { fails, same } from "./expect.ts";
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
];
