/** How messages end: expiry, limits, dead letters, priorities. */

import type { FieldTable } from "@leveret/core/wire";
import type { Conversation, Talk, WireConnection } from "../conversation.ts";
import { withChannel } from "./openings.ts";

/** A connection with a queue `q`, and a queue `dead` for what it gives up. */
async function withGrave(talk: Talk, table: FieldTable, key?: string): Promise<WireConnection> {
  const a = await withChannel(talk);
  await a.call(1, "exchange.declare", { exchange: "dlx", type: "fanout" });
  await a.call(1, "queue.declare", { queue: "dead", exclusive: true });
  await a.call(1, "queue.bind", { queue: "dead", exchange: "dlx", routingKey: "" });
  const routingKey = key === undefined ? {} : { "x-dead-letter-routing-key": key };
  await a.call(1, "queue.declare", {
    queue: "q",
    exclusive: true,
    arguments: { ...table, ...routingKey, "x-dead-letter-exchange": "dlx" },
  });
  return a;
}

async function emptyBoth(a: WireConnection, ...queues: readonly string[]): Promise<void> {
  for (const queue of queues) {
    for (let count = 0; count < 4; count += 1) await a.call(1, "basic.get", { queue, noAck: true });
  }
}

export const lifetimeConversations: readonly Conversation[] = [
  {
    name: "dead letters: rejected",
    run: async (talk) => {
      const a = await withGrave(talk, {});
      a.publish(1, {
        routingKey: "q",
        properties: { headers: { CC: ["other"], kept: 1 }, expiration: "60000", deliveryMode: 2, messageId: "m" },
        body: "r",
      });
      await talk.settle();
      await a.call(1, "basic.get", { queue: "q" });
      a.tell(1, "basic.reject", { deliveryTag: 1, requeue: false });
      await talk.wait(100);
      await emptyBoth(a, "dead");
    },
  },
  {
    name: "dead letters: under another key",
    run: async (talk) => {
      const a = await withGrave(talk, {}, "elsewhere");
      a.publish(1, { routingKey: "q", properties: { headers: { CC: ["other"] } }, body: "r" });
      await talk.settle();
      await a.call(1, "basic.get", { queue: "q" });
      a.tell(1, "basic.nack", { deliveryTag: 1, requeue: false });
      await talk.wait(100);
      await emptyBoth(a, "dead");
    },
  },
  {
    name: "dead letters: under another key, copies go nowhere, and are told once",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "dl.copy", exclusive: true });
      for (const [queue, key] of [
        ["dl.a", "dl.b"],
        ["dl.b", "dl.a"],
      ] as const) {
        const table = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": key };
        await a.call(1, "queue.declare", { queue, exclusive: true, arguments: table });
      }
      a.publish(1, { routingKey: "dl.a", properties: { headers: { CC: ["dl.copy"], BCC: ["dl.blind"] } }, body: "r" });
      await talk.settle();
      for (const [deliveryTag, queue] of ["dl.a", "dl.b"].entries()) {
        await a.call(1, "basic.get", { queue });
        a.tell(1, "basic.reject", { deliveryTag: deliveryTag + 1, requeue: false });
        await talk.wait(100);
      }
      await a.call(1, "basic.get", { queue: "dl.a", noAck: true });
      await emptyBoth(a, "dl.copy");
    },
  },
  {
    name: "dead letters: expired",
    run: async (talk) => {
      const a = await withGrave(talk, { "x-message-ttl": 200 });
      a.publish(1, { routingKey: "q", body: "by the queue" });
      a.publish(1, { routingKey: "q", properties: { expiration: "100" }, body: "by itself" });
      a.publish(1, { routingKey: "q", properties: { expiration: "60000" }, body: "the smaller one" });
      await talk.wait(600);
      await emptyBoth(a, "q", "dead");
    },
  },
  {
    name: "expiry: only at the head of the queue",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "eh", exclusive: true });
      a.publish(1, { routingKey: "eh", body: "stays" });
      a.publish(1, { routingKey: "eh", properties: { expiration: "50" }, body: "behind" });
      await talk.wait(300);
      await a.call(1, "queue.declare", { queue: "eh", passive: true });
      await emptyBoth(a, "eh");
    },
  },
  {
    name: "expiry: at once, unless somebody waits",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "e0", exclusive: true, arguments: { "x-message-ttl": 0 } });
      a.publish(1, { routingKey: "e0", body: "nobody" });
      await talk.settle();
      await a.call(1, "basic.get", { queue: "e0" });
      await a.call(1, "basic.consume", { queue: "e0", consumerTag: "t" });
      a.publish(1, { routingKey: "e0", body: "somebody" });
      await talk.settle();
    },
  },
  {
    name: "dead letters: too many",
    run: async (talk) => {
      const a = await withGrave(talk, { "x-max-length": 2 });
      for (const body of ["1", "2", "3"]) a.publish(1, { routingKey: "q", body });
      await talk.settle();
      await emptyBoth(a, "q", "dead");
    },
  },
  {
    name: "dead letters: too many bytes",
    run: async (talk) => {
      const a = await withGrave(talk, { "x-max-length-bytes": 10 });
      for (const body of ["12345", "67890", "abc", "a body that is too long"]) a.publish(1, { routingKey: "q", body });
      await talk.settle();
      await emptyBoth(a, "q", "dead");
    },
  },
  {
    name: "dead letters: refused for length",
    run: async (talk) => {
      const a = await withGrave(talk, { "x-max-length": 1, "x-overflow": "reject-publish-dlx" });
      await a.call(1, "confirm.select", {});
      for (const body of ["1", "2"]) {
        a.publish(1, { routingKey: "q", body });
        await talk.settle();
      }
      await emptyBoth(a, "q", "dead");
    },
  },
  {
    name: "dead letters: in a circle",
    run: async (talk) => {
      const a = await withChannel(talk);
      const next = (routingKey: string): FieldTable => ({
        "x-message-ttl": 50,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": routingKey,
      });
      await a.call(1, "queue.declare", { queue: "c.one", exclusive: true, arguments: next("c.two") });
      await a.call(1, "queue.declare", { queue: "c.two", exclusive: true, arguments: next("c.one") });
      a.publish(1, { routingKey: "c.one", body: "round" });
      await talk.wait(400);
      await a.call(1, "basic.get", { queue: "c.one", noAck: true });
      await a.call(1, "basic.get", { queue: "c.two", noAck: true });
    },
  },
  {
    name: "dead letters: counted, when rejected again",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", {
        queue: "again",
        exclusive: true,
        arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "again" },
      });
      a.publish(1, { routingKey: "again", body: "r" });
      await talk.settle();
      for (const deliveryTag of [1, 2]) {
        await a.call(1, "basic.get", { queue: "again" });
        a.tell(1, "basic.reject", { deliveryTag, requeue: false });
        await talk.wait(100);
      }
      await a.call(1, "basic.get", { queue: "again" });
    },
  },
  {
    name: "dead letters: a story that the publisher made up",
    run: async (talk) => {
      const a = await withGrave(talk, {});
      const death = { queue: "q", reason: "rejected", count: 7, exchange: "x", "routing-keys": ["k"] };
      a.publish(1, { routingKey: "q", properties: { headers: { "x-death": [death] } }, body: "r" });
      await talk.settle();
      await a.call(1, "basic.get", { queue: "q" });
      a.tell(1, "basic.reject", { deliveryTag: 1, requeue: false });
      await talk.wait(100);
      await emptyBoth(a, "dead");
    },
  },
  {
    name: "dead letters: to an exchange that is not there",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", {
        queue: "q",
        exclusive: true,
        arguments: { "x-dead-letter-exchange": "missing" },
      });
      a.publish(1, { routingKey: "q", body: "r" });
      await talk.settle();
      await a.call(1, "basic.get", { queue: "q" });
      a.tell(1, "basic.reject", { deliveryTag: 1, requeue: false });
      await a.call(1, "queue.declare", { queue: "q", passive: true });
    },
  },
  {
    name: "priorities of messages",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "pr", exclusive: true, arguments: { "x-max-priority": 5 } });
      for (const priority of [undefined, 1, 5, 200, 3, 0]) {
        a.publish(1, { routingKey: "pr", properties: { priority }, body: String(priority) });
      }
      await talk.settle();
      for (let count = 0; count < 6; count += 1) await a.call(1, "basic.get", { queue: "pr", noAck: true });
    },
  },
];
