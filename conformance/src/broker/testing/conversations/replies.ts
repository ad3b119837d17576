/** Direct replies. */

import type { Conversation } from "../conversation.ts";
import { withChannel } from "./openings.ts";

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
      const a = await withChannel(talk);
      await a.call(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: true });
      await a.call(1, "basic.cancel", { consumerTag: "r" });
      await a.call(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: true });
      a.publish(1, { routingKey: "amq.rabbitmq.reply-to.nobody", mandatory: true, body: "lost" });
      await talk.settle();
    },
  },
];
