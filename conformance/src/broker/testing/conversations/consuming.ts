/** Consuming: tags, exclusive and single active consumers, priorities, prefetch. */

import type { Conversation } from "../conversation.ts";
import { withChannel, withMessages } from "./openings.ts";

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
      const a = await withChannel(talk);
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
    name: "consume: arguments that went out of use",
    run: async (talk) => {
      const a = await withChannel(talk);
      let channel = 1;
      for (const type of ["classic", "quorum", "stream"]) {
        const queue = `ca ${type}`;
        await a.call(1, "queue.declare", { queue, durable: true, arguments: { "x-queue-type": type } });
        for (const value of [true, 1]) {
          channel += 1;
          await a.open(channel);
          await a.call(channel, "basic.qos", { prefetchSize: 0, prefetchCount: 1 });
          await a.call(channel, "basic.consume", {
            queue,
            consumerTag: `t${channel}`,
            arguments: { "x-cancel-on-ha-failover": value },
          });
        }
      }
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
      const a = await withChannel(talk);
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
  {
    name: "qos: for the whole channel, until there is one for each consumer",
    run: async (talk) => {
      const a = await withMessages(talk, "ql", 6);
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1, global: true });
      await a.call(1, "basic.consume", { queue: "ql", consumerTag: "one" });
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 2 });
      await a.call(1, "basic.cancel", { consumerTag: "one" });
      await a.call(1, "basic.consume", { queue: "ql", consumerTag: "two" });
      await a.call(1, "basic.qos", { prefetchSize: 0, prefetchCount: 4, global: true });
      await a.call(1, "basic.consume", { queue: "ql", consumerTag: "both" });
    },
  },
];
