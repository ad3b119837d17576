/** Publishing, confirms and transactions. */

import { type BasicProperties, Decimal, type FieldTable, TypedValue } from "@leveret/core/wire";
import type { Conversation, Talk, WireConnection } from "../conversation.ts";
import { withChannel } from "./openings.ts";

/** A connection with a channel, a queue, and a consumer that acknowledges nothing. */
async function consumerOf(talk: Talk, queue: string, table: FieldTable = {}): Promise<WireConnection> {
  const a = await withChannel(talk);
  await a.call(1, "queue.declare", { queue, exclusive: true, arguments: table });
  await a.call(1, "basic.consume", { queue, consumerTag: "t", noAck: true });
  return a;
}

/** Publishes messages, each on a channel of its own: what is refused ends the channel. */
function publishes(name: string, ...all: readonly BasicProperties[]): Conversation {
  return {
    name: `publish: ${name}`,
    run: async (talk) => {
      const a = await consumerOf(talk, "p.q");
      let number = 1;
      for (const properties of all) {
        number += 1;
        await a.open(number);
        a.publish(number, { routingKey: "p.q", properties, body: "b" });
        await talk.settle();
      }
    },
  };
}

export const publishConversations: readonly Conversation[] = [
  {
    name: "publish: to nowhere",
    run: async (talk) => {
      const a = await withChannel(talk);
      a.publish(1, { routingKey: "nobody", body: "dropped" });
      a.publish(1, { routingKey: "nobody", mandatory: true, body: "returned", properties: { headers: { a: 1 } } });
      a.publish(1, { routingKey: "nobody", mandatory: true });
      await talk.settle();
      a.publish(1, { exchange: "missing", routingKey: "k", body: "x" });
      await talk.settle();
    },
  },
  {
    name: "publish: immediate",
    run: async (talk) => {
      const a = await withChannel(talk);
      a.frame(1, 1, Uint8Array.of(0, 60, 0, 40, 0, 0, 0, 1, 0x71, 2));
      a.frame(2, 1, Uint8Array.of(0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
      await talk.settle();
    },
  },
  {
    name: "publish: bodies of many frames",
    run: async (talk) => {
      const a = await talk.connect({ frameMax: 8192 });
      await a.open(1);
      await a.call(1, "queue.declare", { queue: "big", exclusive: true });
      await a.call(1, "basic.consume", { queue: "big", consumerTag: "t", noAck: true });
      for (const size of [8184, 8185, 50_000]) a.publish(1, { routingKey: "big", body: "x".repeat(size) });
      await talk.settle();
    },
  },
  publishes(
    "all properties",
    {
      contentType: "text/plain",
      contentEncoding: "utf-8",
      deliveryMode: 2,
      priority: 9,
      correlationId: "c",
      replyTo: "r",
      expiration: "60000",
      messageId: "m",
      timestamp: new Date(1_600_000_000_000),
      type: "t",
      userId: "guest",
      appId: "a",
      clusterId: "cl",
    },
    {},
    { contentType: "" },
    {
      headers: {
        text: "x",
        small: 1,
        large: 2n ** 40n,
        float: 1.5,
        yes: true,
        none: null,
        when: new Date(1_600_000_000_000),
        bytes: new TypedValue("bytes", Uint8Array.of(1, 2)),
        decimal: new Decimal(2, 314),
        list: [1, "a", [true, { x: 1 }]],
        nested: { deep: { deeper: "y" } },
        byte: new TypedValue("int8", -1),
        short: new TypedValue("int16", -300),
        unsigned: new TypedValue("uint32", 4_000_000_000),
        single: new TypedValue("float", 0.5),
      },
    },
  ),
  publishes("user ids", { userId: "guest" }, { userId: "someone" }, { userId: "" }),
  publishes(
    "expirations",
    { expiration: "+5000" },
    { expiration: "" },
    { expiration: "abc" },
    { expiration: " 5" },
    { expiration: "5 " },
    { expiration: "1.5" },
    { expiration: "-1" },
    { expiration: "315360000000" },
    { expiration: "315360000001" },
  ),
  publishes("delivery modes", { deliveryMode: 1 }, { deliveryMode: 2 }, { deliveryMode: 0 }, { deliveryMode: 3 }),
  publishes("priorities without a queue for them", { priority: 0 }, { priority: 255 }),
  publishes(
    "copies that are no array",
    { headers: { BCC: 1 } },
    { headers: { CC: { a: 1 } } },
    { headers: { CC: [] } },
  ),
];

export const confirmConversations: readonly Conversation[] = [
  {
    name: "confirms: numbered from confirm.select on",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "cq", exclusive: true });
      a.publish(1, { routingKey: "cq", body: "before" });
      await a.call(1, "confirm.select", {});
      for (let count = 0; count < 5; count += 1) a.publish(1, { routingKey: "cq", body: "x" });
      await talk.settle();
      await a.call(1, "confirm.select", {});
      a.publish(1, { routingKey: "cq", properties: { deliveryMode: 2 }, body: "x" });
      a.publish(1, { routingKey: "nobody", mandatory: true, body: "x" });
      a.publish(1, { routingKey: "nobody", body: "x" });
      await talk.settle();
    },
  },
  {
    name: "confirms: a full queue that refuses",
    run: async (talk) => {
      const a = await withChannel(talk);
      const table = { "x-max-length": 2, "x-overflow": "reject-publish" };
      await a.call(1, "queue.declare", { queue: "full", exclusive: true, arguments: table });
      await a.call(1, "confirm.select", {});
      for (const body of ["1", "2", "3", "4"]) {
        a.publish(1, { routingKey: "full", body });
        await talk.settle();
      }
      await a.call(1, "basic.get", { queue: "full", noAck: true });
      a.publish(1, { routingKey: "full", body: "5" });
      await talk.settle();
    },
  },
  {
    name: "confirms and transactions exclude each other",
    run: async (talk) => {
      const a = await talk.connect();
      for (const number of [1, 2, 3]) await a.open(number);
      await a.call(1, "confirm.select", {});
      await a.call(1, "tx.select", {});
      await a.call(2, "tx.select", {});
      await a.call(2, "tx.select", {});
      await a.call(2, "confirm.select", {});
      await a.call(3, "tx.commit", {});
      await a.open(4);
      await a.call(4, "tx.rollback", {});
    },
  },
];

export const transactionConversations: readonly Conversation[] = [
  {
    name: "tx: publishes wait for the commit",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "txq", exclusive: true });
      await a.call(1, "tx.select", {});
      a.publish(1, { routingKey: "txq", body: "one" });
      a.publish(1, { routingKey: "nobody", mandatory: true, body: "two" });
      await talk.settle();
      await a.call(1, "queue.declare", { queue: "txq", passive: true });
      await a.call(1, "tx.commit", {});
      await a.call(1, "queue.declare", { queue: "txq", passive: true });
      a.publish(1, { routingKey: "txq", body: "three" });
      await a.call(1, "tx.rollback", {});
      await a.call(1, "queue.declare", { queue: "txq", passive: true });
      await a.call(1, "tx.commit", {});
      a.publish(1, { exchange: "missing", routingKey: "", body: "at once" });
      await talk.settle();
    },
  },
  {
    name: "tx: settlements wait for the commit",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "txa", exclusive: true });
      for (const body of ["1", "2"]) a.publish(1, { routingKey: "txa", body });
      await a.call(1, "tx.select", {});
      await a.call(1, "basic.get", { queue: "txa" });
      await a.call(1, "basic.get", { queue: "txa" });
      a.tell(1, "basic.ack", { deliveryTag: 1 });
      await a.call(1, "tx.rollback", {});
      a.tell(1, "basic.ack", { deliveryTag: 1 });
      a.tell(1, "basic.nack", { deliveryTag: 2, requeue: true });
      await a.call(1, "queue.declare", { queue: "txa", passive: true });
      await a.call(1, "tx.commit", {});
      await a.call(1, "basic.get", { queue: "txa" });
      a.tell(1, "basic.ack", { deliveryTag: 3 });
      await a.call(1, "basic.ack", { deliveryTag: 3 });
    },
  },
];
