/** Consuming, fetching and settling. */

import { TypedValue } from "@leveret/core/wire";
import type { Conversation, Talk, WireConnection } from "../conversation.ts";

/** A connection with one channel, and a queue with messages `1` to `count`. */
async function withMessages(talk: Talk, queue: string, count: number): Promise<WireConnection> {
  const a = await talk.connect();
  await a.open(1);
  await a.call(1, "queue.declare", { queue, exclusive: true });
  for (let body = 1; body <= count; body += 1) a.publish(1, { routingKey: queue, body: String(body) });
  await talk.settle();
  return a;
}

export const consumeConversations: readonly Conversation[] = [
  {
    name: "consume: tags",
    run: async (talk) => {
      const a = await withMessages(talk, "cq", 0);
      await a.call(1, "basic.consume", { queue: "cq", consumerTag: "" });
      await a.call(1, "basic.consume", { queue: "cq", consumerTag: "mine" });
      await a.open(2);
      await a.call(2, "basic.consume", { queue: "cq", consumerTag: "mine" });
      await a.call(1, "basic.cancel", { consumerTag: "nobody" });
      await a.call(1, "basic.consume", { queue: "cq", consumerTag: "mine" });
    },
  },
  {
    name: "consume: from where there is nothing",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "basic.consume", { queue: "missing", consumerTag: "t" });
      await a.open(2);
      await a.call(2, "basic.consume", { queue: "", consumerTag: "t" });
    },
  },
  {
    name: "consume: exclusively",
    run: async (talk) => {
      const a = await withMessages(talk, "cx", 0);
      for (const number of [2, 3, 4]) await a.open(number);
      await a.call(1, "basic.consume", { queue: "cx", consumerTag: "one", exclusive: true });
      await a.call(2, "basic.consume", { queue: "cx", consumerTag: "two" });
      await a.call(1, "basic.cancel", { consumerTag: "one" });
      await a.call(3, "basic.consume", { queue: "cx", consumerTag: "three" });
      await a.call(4, "basic.consume", { queue: "cx", consumerTag: "four", exclusive: true });
    },
  },
  {
    name: "consume: a priority that is none",
    run: async (talk) => {
      const a = await withMessages(talk, "cp", 0);
      await a.call(1, "basic.consume", { queue: "cp", consumerTag: "t", arguments: { "x-priority": "high" } });
    },
  },
  {
    name: "consume: arguments of another type of queue",
    run: async (talk) => {
      const a = await withMessages(talk, "ca", 0);
      await a.call(1, "basic.consume", { queue: "ca", consumerTag: "t", arguments: { unknown: 1 } });
      await a.call(1, "basic.consume", { queue: "ca", consumerTag: "u", arguments: { "x-stream-offset": "first" } });
      await a.open(2);
      await a.call(2, "queue.declare", { queue: "cs", durable: true, arguments: { "x-queue-type": "stream" } });
      await a.call(2, "basic.qos", { prefetchSize: 0, prefetchCount: 1 });
      await a.call(2, "basic.consume", { queue: "cs", consumerTag: "v", arguments: { "x-priority": 1 } });
    },
  },
  {
    name: "consume: priorities",
    run: async (talk) => {
      const a = await withMessages(talk, "cp", 0);
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1 });
      await a.call(1, "basic.consume", { queue: "cp", consumerTag: "low", arguments: { "x-priority": -1 } });
      await a.call(1, "basic.consume", { queue: "cp", consumerTag: "high", arguments: { "x-priority": 10 } });
      for (const body of ["first", "second", "waits"]) {
        a.publish(1, { routingKey: "cp", body });
        await talk.settle();
      }
    },
  },
  {
    name: "consume: told when the queue is deleted",
    run: async (talk) => {
      const a = await withMessages(talk, "cd", 2);
      await a.call(1, "basic.consume", { queue: "cd", consumerTag: "t" });
      await a.call(1, "queue.delete", { queue: "cd" });
      a.tell(1, "basic.ack", { deliveryTag: 2, multiple: true });
      await a.call(1, "basic.cancel", { consumerTag: "t" });
      await a.call(1, "basic.ack", { deliveryTag: 2 });
    },
  },
  {
    name: "consume: not told without the capability",
    run: async (talk) => {
      const a = await talk.connect({ capabilities: {} });
      await a.open(1);
      await a.call(1, "queue.declare", { queue: "cd", exclusive: true });
      await a.call(1, "basic.consume", { queue: "cd", consumerTag: "t" });
      await a.call(1, "queue.delete", { queue: "cd" });
    },
  },
  {
    name: "cancel: unsettled deliveries stay",
    run: async (talk) => {
      const a = await withMessages(talk, "cc", 2);
      await a.call(1, "basic.consume", { queue: "cc", consumerTag: "t" });
      await a.call(1, "basic.cancel", { consumerTag: "t" });
      await a.call(1, "queue.declare", { queue: "cc", passive: true });
      a.tell(1, "basic.ack", { deliveryTag: 1 });
      a.tell(1, "basic.nack", { deliveryTag: 2, requeue: true });
      await talk.settle();
      await a.call(1, "queue.declare", { queue: "cc", passive: true });
    },
  },
  {
    name: "consume: a single active consumer",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "queue.declare", {
        queue: "sac",
        exclusive: true,
        arguments: { "x-single-active-consumer": true },
      });
      await a.call(1, "basic.consume", { queue: "sac", consumerTag: "one" });
      await a.call(1, "basic.consume", { queue: "sac", consumerTag: "two" });
      for (const body of ["1", "2"]) a.publish(1, { routingKey: "sac", body });
      await talk.settle();
      await a.call(1, "basic.cancel", { consumerTag: "one" });
      a.publish(1, { routingKey: "sac", body: "3" });
      await talk.settle();
      await a.call(1, "basic.consume", { queue: "sac", consumerTag: "three", exclusive: true });
    },
  },
];

export const qosConversations: readonly Conversation[] = [
  {
    name: "qos: a size",
    run: async (talk) => {
      const a = await withMessages(talk, "qs", 0);
      await a.call(1, "basic.qos", { prefetchSize: 1, prefetchCount: 0 });
    },
  },
  {
    name: "qos: for each consumer from now on",
    run: async (talk) => {
      const a = await withMessages(talk, "qc", 6);
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 2 });
      await a.call(1, "basic.consume", { queue: "qc", consumerTag: "two" });
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1 });
      await a.call(1, "basic.consume", { queue: "qc", consumerTag: "one" });
      await a.call(1, "basic.get", { queue: "qc" });
      a.tell(1, "basic.ack", { deliveryTag: 1 });
      await talk.settle();
      a.tell(1, "basic.ack", { deliveryTag: 0, multiple: true });
      await talk.settle();
    },
  },
  {
    name: "qos: for the whole channel",
    run: async (talk) => {
      const a = await withMessages(talk, "qg", 6);
      await a.call(1, "basic.consume", { queue: "qg", consumerTag: "greedy", noAck: false });
      a.tell(1, "basic.nack", { deliveryTag: 0, multiple: true, requeue: true });
      await talk.settle();
      await a.call(1, "basic.cancel", { consumerTag: "greedy" });
      a.tell(1, "basic.recover-async", { requeue: true });
      await talk.settle();
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 3, global: true });
      await a.call(1, "basic.consume", { queue: "qg", consumerTag: "three" });
      await a.call(1, "basic.get", { queue: "qg" });
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 4, global: true });
      await talk.settle();
    },
  },
];

export const settleConversations: readonly Conversation[] = [
  {
    name: "settle: an unknown tag",
    run: async (talk) => {
      const a = await talk.connect();
      for (const number of [1, 2, 3, 4, 5]) await a.open(number);
      await a.call(1, "basic.ack", { deliveryTag: 1 });
      await a.call(2, "basic.ack", { deliveryTag: 0 });
      await a.call(3, "basic.ack", { deliveryTag: 5, multiple: true });
      await a.call(4, "basic.reject", { deliveryTag: 9, requeue: true });
      a.tell(5, "basic.ack", { deliveryTag: 0, multiple: true });
      await a.call(5, "basic.nack", { deliveryTag: 7, requeue: true });
    },
  },
  {
    name: "settle: the same tag twice, also as the end of a range",
    run: async (talk) => {
      const a = await withMessages(talk, "st", 3);
      for (let count = 0; count < 3; count += 1) await a.call(1, "basic.get", { queue: "st" });
      a.tell(1, "basic.ack", { deliveryTag: 3 });
      await a.call(1, "basic.ack", { deliveryTag: 3, multiple: true });
    },
  },
  {
    name: "settle: a delivery that needs no settling",
    run: async (talk) => {
      const a = await withMessages(talk, "sn", 1);
      await a.call(1, "basic.get", { queue: "sn", noAck: true });
      await a.call(1, "basic.ack", { deliveryTag: 1 });
    },
  },
  {
    name: "requeue: at the old place",
    run: async (talk) => {
      const a = await withMessages(talk, "rq", 5);
      for (let count = 0; count < 4; count += 1) await a.call(1, "basic.get", { queue: "rq" });
      a.tell(1, "basic.nack", { deliveryTag: 3, requeue: true });
      a.tell(1, "basic.reject", { deliveryTag: 2, requeue: true });
      a.tell(1, "basic.reject", { deliveryTag: 4, requeue: false });
      for (let count = 0; count < 4; count += 1) await a.call(1, "basic.get", { queue: "rq", noAck: true });
    },
  },
  {
    name: "requeue: when the channel closes",
    run: async (talk) => {
      const a = await withMessages(talk, "rc", 3);
      await a.open(2);
      await a.call(2, "basic.consume", { queue: "rc", consumerTag: "t" });
      await a.call(2, "channel.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      for (let count = 0; count < 4; count += 1) await a.call(1, "basic.get", { queue: "rc", noAck: true });
    },
  },
  {
    name: "recover",
    run: async (talk) => {
      const a = await withMessages(talk, "re", 2);
      await a.call(1, "basic.consume", { queue: "re", consumerTag: "t" });
      await a.call(1, "basic.recover", { requeue: true });
      await a.call(1, "basic.recover", { requeue: false });
    },
  },
  {
    name: "get",
    run: async (talk) => {
      const a = await withMessages(talk, "gq", 3);
      await a.call(1, "basic.get", { queue: "gq" });
      await a.call(1, "basic.get", { queue: "gq", noAck: true });
      await a.call(1, "queue.declare", { queue: "gq", passive: true });
      await a.call(1, "basic.get", { queue: "gq" });
      await a.call(1, "basic.get", { queue: "gq" });
      await a.call(1, "basic.get", { queue: "missing" });
    },
  },
];

export const replyConversations: readonly Conversation[] = [
  {
    name: "direct reply-to: from request to reply",
    run: async (talk) => {
      const a = await talk.connect();
      const b = await talk.connect();
      await a.open(1);
      await b.open(1);
      await b.call(1, "queue.declare", { queue: "rpc", exclusive: true });
      await b.call(1, "basic.consume", { queue: "rpc", consumerTag: "server", noAck: true });
      await a.call(1, "queue.declare", { queue: "amq.rabbitmq.reply-to", passive: true });
      await a.call(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: true });
      a.publish(1, {
        routingKey: "rpc",
        properties: { replyTo: "amq.rabbitmq.reply-to", correlationId: "1" },
        body: "?",
      });
      await talk.settle();
      await b.call(1, "queue.declare", { queue: "amq.rabbitmq.reply-to.nobody", passive: true });
    },
  },
  {
    name: "direct reply-to: refusals",
    run: async (talk) => {
      const a = await talk.connect();
      for (const number of [1, 2, 3, 4, 5]) await a.open(number);
      await a.call(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: false });
      await a.call(2, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: true });
      await a.call(2, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r2", noAck: true });
      a.publish(3, { routingKey: "x", properties: { replyTo: "amq.rabbitmq.reply-to" }, body: "?" });
      await talk.settle();
      await a.call(4, "basic.get", { queue: "amq.rabbitmq.reply-to" });
      await a.call(5, "queue.delete", { queue: "amq.rabbitmq.reply-to" });
    },
  },
  {
    name: "direct reply-to: a consumer that is cancelled",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: true });
      await a.call(1, "basic.cancel", { consumerTag: "r" });
      await a.call(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: true });
      a.publish(1, { routingKey: "amq.rabbitmq.reply-to.nobody", mandatory: true, body: "lost" });
      await talk.settle();
    },
  },
];

const quorum = { "x-queue-type": "quorum" };

export const queueTypeConversations: readonly Conversation[] = [
  {
    name: "quorum: redeliveries are counted, and limited",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "queue.declare", { queue: "qg", durable: true, arguments: quorum });
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1, global: true });
      await a.call(1, "basic.consume", { queue: "qg", consumerTag: "t" });
    },
  },
  {
    name: "quorum: a single active consumer, and get",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      const table = { ...quorum, "x-single-active-consumer": true };
      await a.call(1, "queue.declare", { queue: "qs", durable: true, arguments: table });
      await a.call(1, "basic.get", { queue: "qs" });
    },
  },
  {
    name: "quorum and stream: exclusive consumers are not alone",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
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
      const first = await talk.connect();
      await first.open(1);
      await first.call(1, "queue.declare", { queue: "sr", durable: true, arguments: { "x-queue-type": "stream" } });
      for (const step of steps) {
        const a = await talk.connect();
        await a.open(1);
        await step(a);
      }
    },
  },
];
