/** What RabbitMQ documents of arguments, and what it writes into headers. */

import {
  type BasicProperties,
  ccOf,
  type ConsumerArguments,
  deathCountOf,
  deathsOf,
  deliveryCountOf,
  firstDeathOf,
  lastDeathOf,
  type QueueArguments,
  streamOffsetOf,
} from "@leveret/core/client";
import type { CaseNeed, ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

/** The arguments that every release from 3.10 on takes, by type of queue. */
const documented: Readonly<Record<string, { readonly needs?: CaseNeed[]; readonly all: QueueArguments }>> = {
  classic: {
    all: {
      "x-queue-type": "classic",
      "x-message-ttl": 60_000,
      "x-expires": 60_000,
      "x-max-length": 1000,
      "x-max-length-bytes": 1_000_000,
      "x-overflow": "reject-publish-dlx",
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "nowhere",
      "x-max-priority": 10,
      "x-single-active-consumer": true,
      "x-queue-version": 2,
    },
  },
  quorum: {
    needs: ["quorum-queues"],
    all: {
      "x-queue-type": "quorum",
      "x-message-ttl": 60_000,
      "x-expires": 60_000,
      "x-max-length": 1000,
      "x-max-length-bytes": 1_000_000,
      "x-overflow": "reject-publish",
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "nowhere",
      "x-dead-letter-strategy": "at-least-once",
      "x-delivery-limit": 5,
      "x-single-active-consumer": true,
      "x-queue-leader-locator": "balanced",
      "x-quorum-initial-group-size": 1,
    },
  },
  stream: {
    needs: ["streams"],
    all: {
      "x-queue-type": "stream",
      "x-max-length-bytes": 1_000_000_000,
      "x-max-age": "1D",
      "x-stream-max-segment-size-bytes": 1_000_000,
      "x-initial-cluster-size": 1,
      "x-queue-leader-locator": "client-local",
    },
  },
};

const refused = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };

export const argumentCases: readonly ConformanceCase[] = [
  ...Object.entries(documented).map(
    ([type, { needs = [], all }]): ConformanceCase => ({
      name: `a ${type} queue takes every argument that is documented for it`,
      needs,
      async run(scene) {
        const { channel } = await scene.open();
        const queue = await scene.durableQueue(channel, { arguments: all });
        same(await scene.messageCount(channel, queue), 0, "messages in it");
      },
    }),
  ),
  {
    name: "documented arguments with values that cannot be are refused before anything is sent",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const exchange = scene.name("exchange");
      await fails(channel.queueDeclare({ arguments: { "x-message-ttl": -1 } }), refused, "a negative time to live");
      await fails(channel.queueDeclare({ arguments: { "x-dead-letter-routing-key": "k" } }), refused, "a lonely key");
      const alternate = { "alternate-exchange": 5 as never };
      await fails(channel.exchangeDeclare({ exchange, arguments: alternate }), refused, "a number for an exchange");
      const match = { "x-match": "most" as never };
      await fails(channel.queueBind({ queue, exchange: "amq.headers", arguments: match }), refused, "another match");
      await fails(channel.basicConsume({ queue, arguments: { "x-priority": 0.5 } }), refused, "half a priority");
      same(channel.state, "open", "the channel");
      same(await scene.messageCount(channel, queue), 0, "a call that is right");
    },
  },
  {
    name: "a stream with an offset that makes no sense, or with noAck, is refused before the connection would be closed",
    needs: ["streams"],
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": "stream" } });
      const first: ConsumerArguments = { "x-stream-offset": "first" };
      await fails(channel.basicConsume({ queue, arguments: { "x-stream-offset": "newest" } }), refused, "a word");
      await fails(channel.basicConsume({ queue, arguments: first, prefetch: 0 }), refused, "no prefetch");
      const unsupported = { name: "UsageError", code: "NOT_SUPPORTED" };
      await fails(channel.basicConsume({ queue, arguments: first, noAck: true }), unsupported, "noAck");
      await scene.fill(queue, "a");
      const consumer = await channel.basicConsume({ queue, arguments: first });
      same(text(await scene.soon(consumer.take(), "a message")), "a", "the message");
    },
  },
  {
    name: "a stream is read from a time, or from so long ago",
    needs: ["streams"],
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": "stream" } });
      await scene.fill(queue, "a", "b");
      for (const offset of [new Date(1_000_000_000_000), "1h"] as const) {
        const consumer = await channel.basicConsume({ queue, arguments: { "x-stream-offset": offset } });
        const first = await scene.soon(consumer.take(), "the first message");
        const second = await scene.soon(consumer.take(), "the second message");
        ok(first !== undefined && second !== undefined, "both");
        same([streamOffsetOf(first), streamOffsetOf(second)], [0, 1], `the places, from ${String(offset)}`);
        await consumer.cancel();
      }
      const message = { properties: {} };
      same(streamOffsetOf(message), undefined, "a message of another queue");
    },
  },
  {
    name: "the deaths of a message are read from its headers: why, where, how often",
    async run(scene) {
      const { channel } = await scene.open();
      const retry = scene.name("retry");
      const work = await scene.queue(channel, {
        arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": retry },
      });
      await scene.queue(channel, {
        queue: retry,
        arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": work, "x-message-ttl": 5 },
      });
      const consumer = await channel.basicConsume({ queue: work, prefetch: 1 });
      const properties: BasicProperties = { expiration: "60000", messageId: "7" };
      await channel.queueBind({ queue: work, exchange: "amq.direct", routingKey: "orders" });
      await channel.basicPublish({ exchange: "amq.direct", routingKey: "orders", properties, body: bytes("a") });
      const first = await scene.soon(consumer.take(), "the message");
      ok(first !== undefined, "the message");
      same([deathsOf(first), deathCountOf(first), firstDeathOf(first)], [[], 0, undefined], "before it died");
      first.reject({ requeue: false });
      (await scene.soon(consumer.take(), "the message again"))?.reject({ requeue: false });
      const third = await scene.soon(consumer.take(), "the message for the third time");
      ok(third !== undefined, "the message");
      same(deathCountOf(third), 4, "all deaths");
      same(deathCountOf(third, { queue: work, reason: "rejected" }), 2, "rejections");
      same(deathCountOf(third, { queue: retry }), 2, "deaths in the other queue");
      const [latest, earlier] = deathsOf(third);
      like(latest, { queue: retry, reason: "expired", count: 2, routingKeys: [retry] }, "the latest");
      like(earlier, { queue: work, reason: "rejected", exchange: "amq.direct", routingKeys: ["orders"] }, "the other");
      ok(earlier?.time instanceof Date && earlier.time.getTime() > 1_600_000_000_000, "when it died");
      same(earlier?.originalExpiration, "60000", "what it had for an expiration");
      same(firstDeathOf(third), { queue: work, reason: "rejected", exchange: "amq.direct" }, "the first");
      like(lastDeathOf(third), { queue: retry, reason: "expired" }, "the last");
      third.ack();
    },
  },
  {
    name: "the deliveries of a quorum queue are counted in its messages",
    needs: ["quorum-queues"],
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": "quorum" } });
      await scene.fill(queue, "a");
      const consumer = await channel.basicConsume({ queue });
      const counts: number[] = [];
      while (counts.length < 3) {
        const delivery = await scene.soon(consumer.take(), "the message");
        if (delivery !== undefined) counts.push(deliveryCountOf(delivery));
        delivery?.reject();
      }
      same(counts, [0, 1, 2], "the counts");
    },
  },
  {
    name: "CC is seen by receivers, BCC is not, and both are routed to",
    async run(scene) {
      const { channel } = await scene.open();
      const queues = [await scene.queue(channel), await scene.queue(channel), await scene.queue(channel)] as const;
      const headers = { CC: [queues[1]], BCC: [queues[2]] };
      await channel.basicPublish({ exchange: "", routingKey: queues[0], properties: { headers }, body: bytes("a") });
      for (const queue of queues) {
        const message = await channel.basicGet({ queue, noAck: true });
        ok(message !== undefined, "a message in each queue");
        same(ccOf(message), [queues[1]], "CC");
        same(message.properties.headers?.["BCC"], undefined, "BCC");
      }
    },
  },
];
