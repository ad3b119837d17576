/** Quorum queues and streams. */

import type { Channel } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { like, ok, same } from "./expect.ts";
import { bytes, type Scene, text } from "./scene.ts";

export const queueTypeCases: readonly ConformanceCase[] = [
  {
    name: "a quorum queue takes and gives messages, and counts deliveries",
    needs: ["quorum-queues"],
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": "quorum" } });
      await scene.fill(queue, "a");
      const consumer = await channel.basicConsume({ queue, prefetch: 1 });
      const first = await scene.soon(consumer.take(), "the message");
      same(text(first), "a", "the message");
      first?.reject();
      const second = await scene.soon(consumer.take(), "the message again");
      same(second?.redelivered, true, "redelivered");
      same(second?.properties.headers?.["x-delivery-count"], 1, "the delivery count");
      second?.ack();
      await consumer.close();
      same(await scene.left({ connection, channel }, queue), [], "what is left");
    },
  },
  {
    name: "a quorum queue gives up a message that was delivered too often",
    needs: ["quorum-queues"],
    async run(scene) {
      const { channel } = await scene.open();
      const dead = await scene.queue(channel);
      const queue = await scene.durableQueue(channel, {
        arguments: {
          "x-queue-type": "quorum",
          "x-delivery-limit": 2,
          "x-dead-letter-exchange": "",
          "x-dead-letter-routing-key": dead,
        },
      });
      let deliveries = 0;
      await channel.basicConsume({ queue }, (delivery) => {
        deliveries += 1;
        delivery.reject();
      });
      await scene.fill(queue, "poison");
      await scene.until(async () => (await scene.messageCount(channel, dead)) === 1, "the message to be given up");
      same(deliveries, 3, "the deliveries");
    },
  },
  {
    name: "one consumer at a time gets messages where only one is to be active",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel, { arguments: { "x-single-active-consumer": true } });
      const got: string[] = [];
      const first = await channel.basicConsume({ queue }, (delivery) => got.push(`first ${text(delivery)}`));
      await channel.basicConsume({ queue }, (delivery) => got.push(`second ${text(delivery)}`));
      await scene.fill(queue, "a", "b");
      await scene.until(() => got.length === 2, "the first to get both");
      await first.cancel();
      await scene.fill(queue, "c");
      await scene.until(() => got.length === 3, "the second to get one");
      same(got, ["first a", "first b", "second c"], "who got what");
    },
  },
  {
    name: "a stream is read from an offset, as often as one likes",
    needs: ["streams"],
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": "stream" } });
      await scene.fill(queue, "a", "b", "c");
      same(await read(scene, channel, queue, "first", 3), ["0 a", "1 b", "2 c"], "from the beginning");
      same(await read(scene, channel, queue, 1, 2), ["1 b", "2 c"], "from an offset");
      same(await read(scene, channel, queue, "first", 3), ["0 a", "1 b", "2 c"], "once more");
    },
  },
  {
    name: "a stream without a prefetch is refused, and consumers have one by default",
    needs: ["streams"],
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": "stream" } });
      const consumer = await channel.basicConsume({ queue, arguments: { "x-stream-offset": "last" } });
      same(consumer.state, "consuming", "the state");
      await channel.basicConsume({ queue, prefetch: 0 }).then(
        () => ok(false, "it was refused"),
        (error: unknown) => like(error, { replyCode: 406 }, "the refusal"),
      );
    },
  },
  {
    name: "a higher consumer priority is served first",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const got: string[] = [];
      await channel.basicConsume({ queue, arguments: { "x-priority": 1 } }, () => got.push("low"));
      await channel.basicConsume({ queue, arguments: { "x-priority": 9 } }, () => got.push("high"));
      await channel.confirmSelect();
      for (let i = 0; i < 5; i += 1) {
        await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("x") });
      }
      await scene.until(() => got.length === 5, "all to be delivered");
      same(got, ["high", "high", "high", "high", "high"], "who got them");
    },
  },
];

async function read(
  scene: Scene,
  channel: Channel,
  queue: string,
  offset: string | number,
  count: number,
): Promise<string[]> {
  const consumer = await channel.basicConsume({ queue, arguments: { "x-stream-offset": offset } });
  const got: string[] = [];
  while (got.length < count) {
    const delivery = await scene.soon(consumer.take(), "a message of the stream");
    got.push(`${String(delivery?.properties.headers?.["x-stream-offset"])} ${text(delivery)}`);
    delivery?.ack();
  }
  await consumer.cancel();
  return got;
}
