/** What quorum queues and streams do otherwise than classic queues. */

import { type FieldTable, TypedValue } from "@leveret/core/wire";
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
    name: "quorum: what comes back goes before all priorities",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "qo", durable: true, arguments: quorum });
      for (const priority of [0, 4, 5, 9, 255, 3]) {
        a.publish(1, { routingKey: "qo", properties: { priority }, body: `${priority}` });
      }
      await talk.settle();
      for (let count = 0; count < 2; count += 1) await a.call(1, "basic.get", { queue: "qo" });
      a.tell(1, "basic.nack", { deliveryTag: 0, multiple: true, requeue: true });
      await talk.wait(100);
      for (let count = 0; count < 6; count += 1) await a.call(1, "basic.get", { queue: "qo", noAck: true });
    },
  },
  {
    name: "quorum: what a channel leaves behind goes first, what is handed back goes where the delivery limit says",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "qc", durable: true, arguments: quorum });
      for (const body of ["1", "2", "3", "4"]) a.publish(1, { routingKey: "qc", body });
      await talk.settle();
      await a.open(2);
      for (let count = 0; count < 2; count += 1) await a.call(2, "basic.get", { queue: "qc" });
      await a.call(2, "channel.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      await talk.wait(100);
      for (let count = 0; count < 4; count += 1) await a.call(1, "basic.get", { queue: "qc", noAck: true });
    },
  },
  {
    name: "quorum: rejections are told in the next quorum queue, also through a classic one",
    run: async (talk) => {
      const a = await withChannel(talk);
      const next = (routingKey: string) => ({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": routingKey });
      await a.call(1, "queue.declare", { queue: "qd.three", durable: true, arguments: quorum });
      await a.call(1, "queue.declare", { queue: "qd.two", exclusive: true, arguments: next("qd.three") });
      await a.call(1, "queue.declare", { queue: "qd.one", durable: true, arguments: { ...quorum, ...next("qd.two") } });
      a.publish(1, { routingKey: "qd.one", body: "r" });
      await talk.settle();
      let deliveryTag = 0;
      for (const queue of ["qd.one", "qd.two"]) {
        await a.call(1, "basic.get", { queue });
        a.tell(1, "basic.reject", { deliveryTag: (deliveryTag += 1), requeue: false });
        await talk.wait(200);
      }
      await a.call(1, "basic.get", { queue: "qd.three" });
      a.tell(1, "basic.nack", { deliveryTag: (deliveryTag += 1), requeue: true });
      await talk.wait(200);
      await a.call(1, "basic.get", { queue: "qd.three" });
    },
  },
  {
    name: "quorum: refuses when it is too long, until it is well below that",
    run: async (talk) => {
      const a = await withChannel(talk);
      const table = { ...quorum, "x-max-length": 5, "x-overflow": "reject-publish" };
      await a.call(1, "queue.declare", { queue: "qf", durable: true, arguments: table });
      await a.call(1, "confirm.select", {});
      const publish = async (): Promise<void> => {
        a.publish(1, { routingKey: "qf", body: "x" });
        await talk.wait(100);
      };
      for (let count = 0; count < 7; count += 1) await publish();
      for (let count = 0; count < 3; count += 1) {
        await a.call(1, "basic.get", { queue: "qf", noAck: true });
        await talk.wait(100);
        await publish();
      }
    },
  },
  {
    name: "quorum: a consumer that was cancelled counts while it owes something",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "qw", durable: true, arguments: quorum });
      await a.call(1, "basic.consume", { queue: "qw", consumerTag: "t" });
      a.publish(1, { routingKey: "qw", body: "x" });
      await talk.wait(200);
      await a.call(1, "basic.cancel", { consumerTag: "t" });
      await a.call(1, "queue.declare", { queue: "qw", passive: true });
      a.tell(1, "basic.ack", { deliveryTag: 1 });
      await talk.wait(200);
      await a.call(1, "queue.declare", { queue: "qw", passive: true });
    },
  },
  {
    name: "quorum: what was fetched counts as a consumer until it is settled",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "qn", durable: true, arguments: quorum });
      for (const body of ["1", "2", "3"]) a.publish(1, { routingKey: "qn", body });
      await talk.wait(100);
      await a.call(1, "basic.consume", { queue: "qn", consumerTag: "t" });
      await talk.wait(100);
      a.publish(1, { routingKey: "qn", body: "4" });
      a.publish(1, { routingKey: "qn", body: "5" });
      await talk.wait(100);
      await a.call(1, "basic.cancel", { consumerTag: "t" });
      for (const body of ["6", "7"]) a.publish(1, { routingKey: "qn", body });
      await talk.wait(100);
      for (let count = 0; count < 2; count += 1) await a.call(1, "basic.get", { queue: "qn" });
      await a.call(1, "queue.declare", { queue: "qn", passive: true });
      a.tell(1, "basic.ack", { deliveryTag: 6 });
      await talk.wait(200);
      await a.call(1, "queue.declare", { queue: "qn", passive: true });
      a.tell(1, "basic.ack", { deliveryTag: 0, multiple: true });
      await talk.wait(200);
      await a.call(1, "queue.declare", { queue: "qn", passive: true });
    },
  },
  {
    name: "quorum: is not deleted under a condition",
    run: async (talk) => {
      for (const fields of [{ ifUnused: true }, { ifEmpty: true }, { ifUnused: true, ifEmpty: true }]) {
        const a = await withChannel(talk);
        await a.call(1, "queue.declare", { queue: "qx", durable: true, arguments: quorum });
        await a.call(1, "queue.delete", { queue: "qx", ...fields });
      }
    },
  },
  {
    name: "stream: is deleted when it is unused and empty",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "sd", durable: true, arguments: { "x-queue-type": "stream" } });
      await a.call(1, "queue.delete", { queue: "sd", ifUnused: true, ifEmpty: true });
    },
  },
  {
    name: "stream: what a consumer lacks, and in which order that is said",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "so", durable: true, arguments: { "x-queue-type": "stream" } });
      const consumers: readonly FieldTable[] = [{ "x-stream-offset": "5" }, { "x-stream-offset": true }, {}];
      for (const [index, table] of consumers.entries()) {
        await a.open(index + 2);
        await a.call(index + 2, "basic.consume", { queue: "so", consumerTag: "t", noAck: true, arguments: table });
      }
      const b = await talk.connect();
      await b.open(1);
      await b.call(1, "basic.consume", { queue: "so", consumerTag: "t", arguments: { "x-stream-offset": "soon" } });
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
