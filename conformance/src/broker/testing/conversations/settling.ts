/** Fetching, acknowledging, and giving back. */

import type { Conversation } from "../conversation.ts";
import { withMessages } from "./openings.ts";

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
