/** Queues: declared, bound, purged, deleted, and what their arguments do. */

import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const queueCases: readonly ConformanceCase[] = [
  {
    name: "are declared by name, found, declared again, and deleted",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = scene.name("queue");
      same(await channel.queueDeclare({ queue }), { queue, messageCount: 0, consumerCount: 0 }, "the first answer");
      await scene.fill(queue, "a", "b");
      await channel.basicConsume({ queue, prefetch: 1 });
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 1, "one message to be delivered");
      like(
        await channel.queueDeclare({ queue, passive: true }),
        { queue, messageCount: 1, consumerCount: 1 },
        "asking",
      );
      like(await channel.queueDeclare({ queue }), { queue }, "declaring again");
      like(await channel.queueDelete({ queue }), { messageCount: 1 }, "deleting");
      same(await channel.queueDelete({ queue }), { messageCount: 0 }, "deleting again");
      await fails(channel.queueDeclare({ queue, passive: true }), { replyCode: 404, outcome: "refused" }, "asking");
    },
  },
  {
    name: "get a name from the server, which an empty name stands for afterwards",
    async run(scene) {
      const { channel } = await scene.open();
      const { queue } = await channel.queueDeclare({ exclusive: true });
      ok(queue.startsWith("amq.gen-"), `a name that the server made: ${queue}`);
      await channel.queueBind({ queue: "", exchange: "amq.direct", routingKey: queue });
      await channel.basicPublish({ exchange: "amq.direct", routingKey: queue, body: bytes("found") });
      same(text(await channel.basicGet({ queue: "", noAck: true })), "found", "the message");
      const consumer = await channel.basicConsume({ queue: "" });
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("consumed") });
      same(text(await scene.soon(consumer.take(), "a message")), "consumed", "the message that was consumed");
    },
  },
  {
    name: "declared differently are refused with 406, and other connections' exclusive ones with 405",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      await fails(
        channel.queueDeclare({ queue, arguments: { "x-max-length": 3 } }),
        { replyCode: 406, method: "queue.declare" },
        "another argument",
      );
      const exclusive = await scene.queue(await connection.openChannel());
      const other = await scene.open();
      await fails(
        other.channel.queueDeclare({ queue: exclusive, passive: true }),
        { replyCode: 405, retryable: true },
        "asking",
      );
      const again = await other.connection.openChannel();
      await fails(again.queueDeclare({ queue: "amq.mine" }), { replyCode: 403 }, "a reserved name");
    },
  },
  {
    name: "go with their connection when they are exclusive",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await connection.close();
      const other = await scene.open();
      const gone = async (): Promise<boolean> => {
        const asking = await other.connection.openChannel();
        return asking.queueDeclare({ queue, passive: true }).then(
          () => false,
          (error: { replyCode?: number }) => error.replyCode === 404,
        );
      };
      await scene.until(gone, "the queue to be gone");
    },
  },
  {
    name: "that delete themselves go with their last consumer",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = scene.name("queue");
      await channel.queueDeclare({ queue, autoDelete: true });
      await (await channel.basicConsume({ queue })).cancel();
      await fails(channel.queueDeclare({ queue, passive: true }), { replyCode: 404 }, "asking");
    },
  },
  {
    name: "are bound, and unbound, and unbinding what is not bound is no error",
    async run(scene) {
      const { channel } = await scene.open();
      const exchange = await scene.exchange(channel, "direct");
      const queue = await scene.queue(channel);
      const binding = { queue, exchange, routingKey: "k", arguments: { why: "because" } };
      await channel.queueBind(binding);
      await channel.queueBind(binding);
      await channel.basicPublish({ exchange, routingKey: "k", body: bytes("once") });
      same(await scene.drain(channel, queue), ["once"], "through the binding");
      await channel.queueUnbind(binding);
      await channel.queueUnbind(binding);
      await channel.basicPublish({ exchange, routingKey: "k", body: bytes("never") });
      same(await scene.drain(channel, queue), [], "after the unbinding");
      await fails(channel.queueBind({ queue, exchange: scene.name("none") }), { replyCode: 404 }, "a missing exchange");
    },
  },
  {
    name: "are purged of what is ready, and only that",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a", "b", "c");
      const held = await channel.basicGet({ queue });
      same(await channel.queuePurge({ queue }), { messageCount: 2 }, "the count");
      held?.nack();
      same(text(await channel.basicGet({ queue, noAck: true })), "a", "what was held");
    },
  },
  {
    name: "in use, or with messages, are not deleted when only others are to be",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a");
      await fails(channel.queueDelete({ queue, ifEmpty: true }), { replyCode: 406 }, "with a message");
      const other = await connection.openChannel();
      const consumer = await other.basicConsume({ queue });
      const third = await connection.openChannel();
      await fails(third.queueDelete({ queue, ifUnused: true }), { replyCode: 406 }, "with a consumer");
      await consumer.close();
    },
  },
  {
    name: "take declarations, purges and deletions that nobody waits for",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = scene.name("queue");
      same(await channel.queueDeclare({ queue, exclusive: true, noWait: true }), undefined, "declaring");
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("a") });
      same(await channel.queuePurge({ queue, noWait: true }), undefined, "purging");
      same(await scene.drain(channel, queue), [], "messages");
      same(await channel.queueDelete({ queue, noWait: true }), undefined, "deleting");
      await fails(channel.queueDeclare({ queue, passive: true }), { replyCode: 404 }, "asking");
    },
  },
  {
    name: "expire messages, drop the oldest beyond their length, and give both to their dead-letter exchange",
    async run(scene) {
      const { channel } = await scene.open();
      const dead = await scene.queue(channel);
      const letters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
      const short = await scene.queue(channel, { arguments: { ...letters, "x-message-ttl": 20 } });
      const small = await scene.queue(channel, { arguments: { ...letters, "x-max-length": 1 } });
      await scene.fill(short, "expired");
      await scene.until(async () => (await scene.messageCount(channel, dead)) === 1, "the message to expire");
      const expired = await channel.basicGet({ queue: dead, noAck: true });
      same(text(expired), "expired", "the message");
      const [death] = (expired?.properties.headers?.["x-death"] ?? []) as Record<string, unknown>[];
      like(death, { queue: short, reason: "expired", count: 1 }, "x-death");
      await scene.fill(small, "dropped", "kept");
      await scene.until(async () => (await scene.messageCount(channel, dead)) === 1, "the oldest to be dropped");
      same(await scene.drain(channel, dead), ["dropped"], "what was dropped");
      same(await scene.drain(channel, small), ["kept"], "what was kept");
    },
  },
  {
    name: "deliver by priority where they have priorities",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel, { arguments: { "x-max-priority": 5 } });
      await channel.confirmSelect();
      for (const priority of [0, 5, 3]) {
        await channel.basicPublish({
          exchange: "",
          routingKey: queue,
          properties: { priority },
          body: bytes(`${priority}`),
        });
      }
      same(await scene.drain(channel, queue), ["5", "3", "0"], "the order");
    },
  },
  {
    name: "keep names with any characters, and drop line ends from them as the server does",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = `${scene.name("Hase")} häschen 兎 🐇 "quoted"`;
      same((await channel.queueDeclare({ queue, exclusive: true })).queue, queue, "the name");
      await scene.fill(queue, "to a name of the world");
      same(await scene.drain(channel, queue), ["to a name of the world"], "the message");
      const lines = await channel.queueDeclare({ queue: `${scene.name("q")}\r\nx`, exclusive: true });
      ok(!lines.queue.includes("\n"), "no line ends in the name that came back");
    },
  },
];
