/** Acknowledging and refusing: one message, several, too late, twice. */

import type { Channel, Connection, ConsumerDelivery } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { same, throws } from "./expect.ts";
import { type Scene, text } from "./scene.ts";

export const settleCases: readonly ConformanceCase[] = [
  {
    name: "an acknowledged message is gone, a refused one comes again, a dropped one does not",
    async run(scene) {
      const held = await holding(scene, ..."abcd");
      const [a, b, c, d] = held.deliveries;
      a?.ack();
      b?.nack();
      c?.nack({ requeue: false });
      d?.reject({ requeue: true });
      same(await held.left(), ["b", "d"], "what is in the queue");
    },
  },
  {
    name: "multiple means all before it as well, and nothing else",
    async run(scene) {
      const acked = await holding(scene, ..."abcd");
      acked.deliveries[2]?.ack({ multiple: true });
      same(await acked.left(), ["d"], "after an acknowledgement");
      const nacked = await holding(scene, ..."abcd");
      nacked.deliveries[1]?.nack({ multiple: true });
      nacked.deliveries[3]?.nack({ requeue: false });
      nacked.deliveries[2]?.ack();
      same(await nacked.left(), ["a", "b"], "after a refusal");
    },
  },
  {
    name: "tags do what deliveries do, zero with multiple included",
    async run(scene) {
      const { channel, left } = await holding(scene, ..."abcde");
      channel.basicReject({ deliveryTag: 2, requeue: false });
      channel.basicAck({ deliveryTag: 1 });
      channel.basicNack({ deliveryTag: 3, multiple: true, requeue: true });
      channel.basicAck({ deliveryTag: 0, multiple: true });
      channel.basicAck({ deliveryTag: 0, multiple: true });
      same(await left(), ["c"], "what is in the queue");
    },
  },
  {
    name: "a tag whose delivery is settled still means those before it, with multiple",
    async run(scene) {
      const { channel, deliveries, left } = await holding(scene, ..."abcd");
      deliveries[2]?.nack({ requeue: false });
      channel.basicAck({ deliveryTag: 3, multiple: true });
      channel.basicAck({ deliveryTag: 3, multiple: true });
      same(await left(), ["d"], "what is in the queue");
    },
  },
  {
    name: "settling twice, or what was never delivered, is an error here, and the channel lives on",
    async run(scene) {
      const { channel, deliveries, left } = await holding(scene, ..."ab");
      deliveries[0]?.ack();
      const settled = { name: "SettlementError", code: "ALREADY_SETTLED", deliveryTag: 1, outcome: "not-sent" };
      throws(() => deliveries[0]?.ack(), settled, "acknowledging twice");
      throws(() => deliveries[0]?.nack(), settled, "refusing afterwards");
      throws(() => channel.basicAck({ deliveryTag: 1 }), settled, "by its tag");
      throws(() => channel.basicAck({ deliveryTag: 77 }), { code: "UNKNOWN_DELIVERY" }, "an unknown tag");
      throws(
        () => channel.basicNack({ deliveryTag: 77, multiple: true }),
        { code: "UNKNOWN_DELIVERY" },
        "with multiple",
      );
      same(channel.state, "open", "the state");
      same(await left(), ["b"], "what is in the queue");
    },
  },
  {
    name: "settling on another channel is an error here",
    async run(scene) {
      const { connection, deliveries, left } = await holding(scene, "a");
      const other = await connection.openChannel();
      throws(() => other.basicAck({ deliveryTag: 1 }), { code: "UNKNOWN_DELIVERY" }, "on another channel");
      deliveries[0]?.ack();
      same(await left(), [], "what is in the queue");
    },
  },
  {
    name: "acknowledgements of a thousand messages in any order, in one turn, are exact",
    async run(scene) {
      const count = 1000;
      const { deliveries, left } = await holding(scene, ...Array.from({ length: count }, (_, i) => `${i}`));
      const order = deliveries.map((_, i) => (i * 617) % count);
      for (const index of order) if (index % 10 !== 0) deliveries[index]?.ack();
      const expected = Array.from({ length: count / 10 }, (_, i) => `${i * 10}`);
      same(await left(), expected, "what was not acknowledged");
    },
  },
  {
    name: "recover brings everything back, and what was held is settled then",
    async run(scene) {
      const { channel, deliveries } = await holding(scene, "a", "b");
      await channel.basicRecover();
      throws(() => deliveries[0]?.ack(), { code: "ALREADY_SETTLED" }, "the first delivery");
      await scene.until(() => deliveries.length === 4, "both to come again");
      same(deliveries.slice(2).map(text), ["a", "b"], "the messages");
      same(deliveries[2]?.redelivered, true, "redelivered");
      for (const again of deliveries.slice(2)) again.ack();
      await channel.basicRecoverAsync();
      await channel.close();
    },
  },
  {
    name: "what is held when the channel closes goes back, and is stale",
    async run(scene) {
      const { connection, channel, queue, deliveries } = await holding(scene, "a", "b");
      deliveries[0]?.ack();
      await channel.close();
      throws(() => deliveries[1]?.ack(), { name: "SettlementError", code: "STALE_DELIVERY" }, "settling");
      same(deliveries[1]?.outstanding, false, "outstanding");
      same(await scene.drain(await connection.openChannel(), queue, 1), ["b"], "what is in the queue");
    },
  },
  {
    name: "a global prefetch holds for the whole channel",
    async run(scene) {
      const { channel } = await scene.open();
      await channel.basicQos({ prefetchCount: 2, global: true });
      const held: ConsumerDelivery[] = [];
      const queues = [await scene.queue(channel), await scene.queue(channel)];
      for (const [index, queue] of queues.entries()) {
        await scene.fill(queue, "a", "b", "c", "d");
        const prefetch = [0, undefined][index];
        await channel.basicConsume({ queue, prefetch, settle: "manual" }, (delivery) => void held.push(delivery));
      }
      // RabbitMQ 4.3 and newer take it for a limit of each consumer.
      const [major = 0, minor = 0] = scene.broker.version.split(".").map(Number);
      const expected = major > 4 || (major === 4 && minor >= 3) ? 4 : 2;
      const counted = async (): Promise<boolean> => {
        const waiting = await Promise.all(queues.map((queue) => scene.messageCount(channel, queue)));
        return held.length >= expected && waiting.reduce((a, b) => a + b) + held.length === 8;
      };
      await scene.until(counted, "what may come to come, and all messages to be somewhere");
      same(held.length, expected, "how many came");
    },
  },
];

/** Messages that were delivered and are not settled. */
interface Holding {
  readonly connection: Connection;
  readonly channel: Channel;
  readonly queue: string;
  readonly deliveries: ConsumerDelivery[];
  /** Closes the channel, and takes what is in the queue then. */
  readonly left: () => Promise<string[]>;
}

/** A consumer that holds what it gets. */
async function holding(scene: Scene, ...texts: string[]): Promise<Holding> {
  const { connection, channel } = await scene.open();
  const queue = await scene.queue(channel);
  await scene.fill(queue, ...texts);
  const deliveries: ConsumerDelivery[] = [];
  const options = { queue, prefetch: 0, settle: "manual" } as const;
  const consumer = await channel.basicConsume(options, (delivery) => void deliveries.push(delivery));
  await scene.until(() => deliveries.length === texts.length, "all to be delivered");
  const left = async (): Promise<string[]> => {
    await consumer.cancel();
    return scene.left({ connection, channel }, queue);
  };
  return { connection, channel, queue, deliveries, left };
}
