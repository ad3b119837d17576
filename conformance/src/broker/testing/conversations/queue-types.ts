/** What quorum queues and streams do otherwise than classic queues. */

import { TypedValue } from "@leveret/core/wire";
import type { Conversation, WireConnection } from "../conversation.ts";
import { withChannel } from "./openings.ts";

const quorum = { "x-queue-type": "quorum" };

export const queueTypeConversations: readonly Conversation[] = [
  {
    name: "quorum: redeliveries are counted, and limited",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "dead", exclusive: true });
      await a.call(1, "queue.declare", {
        queue: "qq",
        durable: true,
        arguments: {
          ...quorum,
          "x-delivery-limit": 2,
          "x-dead-letter-exchange": "",
          "x-dead-letter-routing-key": "dead",
        },
      });
      a.publish(1, { routingKey: "qq", body: "bad" });
      await talk.settle();
      for (const deliveryTag of [1, 2, 3]) {
        await a.call(1, "basic.get", { queue: "qq" });
        a.tell(1, "basic.reject", { deliveryTag, requeue: true });
        await talk.wait(200);
      }
      await a.call(1, "basic.get", { queue: "dead", noAck: true });
    },
  },
  {
    name: "quorum: what comes back goes first",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "qr", durable: true, arguments: quorum });
      for (const body of ["1", "2", "3"]) a.publish(1, { routingKey: "qr", body });
      await talk.settle();
      for (let count = 0; count < 2; count += 1) await a.call(1, "basic.get", { queue: "qr" });
      a.tell(1, "basic.nack", { deliveryTag: 2, requeue: true });
      await talk.settle();
      a.tell(1, "basic.nack", { deliveryTag: 1, requeue: true });
      await talk.settle();
      for (let count = 0; count < 3; count += 1) await a.call(1, "basic.get", { queue: "qr", noAck: true });
    },
  },
  {
    name: "quorum: no limit for the whole channel",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "qg", durable: true, arguments: quorum });
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1, global: true });
      await a.call(1, "basic.consume", { queue: "qg", consumerTag: "t" });
    },
  },
  {
    name: "quorum: a single active consumer, and get",
    run: async (talk) => {
      const a = await withChannel(talk);
      const table = { ...quorum, "x-single-active-consumer": true };
      await a.call(1, "queue.declare", { queue: "qs", durable: true, arguments: table });
      await a.call(1, "basic.get", { queue: "qs" });
    },
  },
  {
    name: "quorum and stream: exclusive consumers are not alone",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 10 });
      for (const type of ["quorum", "stream"]) {
        const queue = `ex ${type}`;
        await a.call(1, "queue.declare", { queue, durable: true, arguments: { "x-queue-type": type } });
        await a.call(1, "basic.consume", { queue, consumerTag: `one ${type}`, exclusive: true });
        await a.call(1, "basic.consume", { queue, consumerTag: `two ${type}`, exclusive: true });
        await a.call(1, "basic.consume", { queue, consumerTag: `three ${type}` });
      }
    },
  },
  {
    name: "quorum: an active consumer gives way to one of a higher priority, when it owes nothing",
    run: async (talk) => {
      const a = await withChannel(talk);
      const table = { ...quorum, "x-single-active-consumer": true };
      await a.call(1, "queue.declare", { queue: "qp", durable: true, arguments: table });
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 10 });
      await a.call(1, "basic.consume", { queue: "qp", consumerTag: "low" });
      a.publish(1, { routingKey: "qp", body: "1" });
      await talk.wait(200);
      await a.call(1, "basic.consume", { queue: "qp", consumerTag: "high", arguments: { "x-priority": 5 } });
      a.publish(1, { routingKey: "qp", body: "2" });
      await talk.wait(200);
      await a.call(1, "queue.declare", { queue: "qp", passive: true });
      a.tell(1, "basic.ack", { deliveryTag: 1 });
      await talk.wait(200);
      a.publish(1, { routingKey: "qp", body: "3" });
      await talk.wait(200);
      await a.call(1, "basic.consume", { queue: "qp", consumerTag: "same", arguments: { "x-priority": 5 } });
      await a.call(1, "basic.cancel", { consumerTag: "high" });
      a.publish(1, { routingKey: "qp", body: "4" });
      await talk.wait(200);
    },
  },
  {
    name: "stream: filters",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "sf", durable: true, arguments: { "x-queue-type": "stream" } });
      await a.call(1, "confirm.select", {});
      for (const filter of ["a", "b", undefined, "a"]) {
        const headers = filter === undefined ? {} : { "x-stream-filter-value": filter };
        a.publish(1, { routingKey: "sf", body: filter ?? "none", properties: { headers } });
        await talk.settle();
      }
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 100 });
      const filters = {
        one: { "x-stream-filter": "a" },
        several: { "x-stream-filter": ["b", "c"] },
        unfiltered: { "x-stream-filter": "b", "x-stream-match-unfiltered": true },
        nothing: { "x-stream-filter": "z" },
      };
      for (const [consumerTag, table] of Object.entries(filters)) {
        await a.call(1, "basic.consume", {
          queue: "sf",
          consumerTag,
          arguments: { "x-stream-offset": "first", ...table },
        });
        await talk.wait(300);
        await a.call(1, "basic.cancel", { consumerTag });
      }
    },
  },
  {
    name: "stream: reading from places",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "st", durable: true, arguments: { "x-queue-type": "stream" } });
      await a.call(1, "confirm.select", {});
      for (const body of ["0", "1", "2"]) {
        a.publish(1, { routingKey: "st", body });
        await talk.settle();
      }
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 100 });
      const offsets = { first: "first", next: "next", two: 2, hour: "1h", since: new TypedValue("timestamp", 1) };
      for (const [consumerTag, offset] of Object.entries(offsets)) {
        await a.call(1, "basic.consume", { queue: "st", consumerTag, arguments: { "x-stream-offset": offset } });
        await a.call(1, "basic.cancel", { consumerTag });
      }
      await a.call(1, "basic.consume", { queue: "st", consumerTag: "default" });
      a.publish(1, { routingKey: "st", body: "3" });
      await talk.settle();
      a.tell(1, "basic.ack", { deliveryTag: 0, multiple: true });
      await talk.settle();
    },
  },
  {
    name: "stream: refusals",
    run: async (talk) => {
      const steps: readonly ((a: WireConnection) => Promise<void>)[] = [
        (a) => a.call(1, "basic.get", { queue: "sr" }),
        (a) => a.call(1, "queue.purge", { queue: "sr" }),
        (a) => a.call(1, "basic.consume", { queue: "sr", consumerTag: "t" }),
        async (a) => {
          await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1 });
          await a.call(1, "basic.consume", { queue: "sr", consumerTag: "t", noAck: true });
        },
        async (a) => {
          await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1 });
          const table = { "x-stream-offset": "nonsense" };
          await a.call(1, "basic.consume", { queue: "sr", consumerTag: "t", arguments: table });
        },
      ];
      const first = await withChannel(talk);
      await first.call(1, "queue.declare", { queue: "sr", durable: true, arguments: { "x-queue-type": "stream" } });
      for (const step of steps) {
        const a = await withChannel(talk);
        await step(a);
      }
    },
  },
];
