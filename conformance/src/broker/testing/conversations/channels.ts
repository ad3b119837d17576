/** What may be said on channel 0, and on others before they are open, while they close, and afterwards. */

import { frameType } from "@leveret/core/wire";
import type { Conversation } from "../conversation.ts";
import { ascii, withChannel } from "./openings.ts";

export const channelConversations: readonly Conversation[] = [
  {
    name: "channel 0: connection.open again",
    run: async (talk) => {
      const a = await talk.connect();
      await a.call(0, "connection.open", { virtualHost: "/" });
      await a.call(0, "connection.close-ok", {});
      await a.ended();
    },
  },
  {
    name: "channel 0: a method of another class",
    run: async (talk) => {
      const a = await talk.connect();
      await a.call(0, "channel.open", {});
    },
  },
  {
    name: "channel 0: close-ok that nobody asked for",
    run: async (talk) => {
      const a = await talk.connect();
      await a.call(0, "connection.close-ok", {});
    },
  },
  {
    name: "connection.close: answered",
    run: async (talk) => {
      const a = await talk.connect();
      await a.call(0, "connection.close", { replyCode: 200, replyText: "bye", classId: 0, methodId: 0 });
    },
  },
  {
    name: "connection.close: on a channel",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "connection.close", { replyCode: 200, replyText: "bye", classId: 0, methodId: 0 });
    },
  },
  {
    name: "connection.close: both at once",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "channel.open", {});
      await a.call(0, "connection.close", { replyCode: 200, replyText: "bye", classId: 0, methodId: 0 });
      await a.call(0, "connection.close-ok", {});
      await a.ended();
    },
  },
  {
    name: "connection.update-secret",
    run: async (talk) => {
      const a = await talk.connect();
      await a.call(0, "connection.update-secret", { newSecret: ascii("s"), reason: "r" });
    },
  },
  {
    name: "channels: more than agreed",
    run: async (talk) => {
      const a = await talk.connect({ channelMax: 2 });
      await a.open(1000);
      await a.open(2);
      await a.call(3, "channel.open", {});
    },
  },
  {
    name: "channels: opened twice",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "channel.open", {});
    },
  },
  {
    name: "channels: a method before channel.open",
    run: async (talk) => {
      const a = await talk.connect();
      await a.call(1, "basic.ack", { deliveryTag: 1 });
    },
  },
  {
    name: "channels: channel.close before channel.open",
    run: async (talk) => {
      const a = await talk.connect();
      await a.call(1, "channel.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
    },
  },
  {
    name: "channels: content before channel.open",
    run: async (talk) => {
      const a = await talk.connect();
      a.frame(frameType.body, 1, ascii("x"));
      await talk.settle();
    },
  },
  {
    name: "channels: close-ok that nobody asked for",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "channel.close-ok", {});
    },
  },
  {
    name: "channels: closed, and opened again",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "channel.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      await a.call(1, "channel.open", {});
      await a.call(1, "confirm.select", {});
    },
  },
  {
    name: "channels: a failed one swallows everything but its close",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "c.missing", passive: true });
      a.tell(1, "confirm.select", {});
      a.tell(1, "basic.qos", { prefetchSize: 0, prefetchCount: 1 });
      await talk.settle();
      await a.call(1, "channel.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      a.tell(1, "channel.close-ok", {});
      await a.call(1, "channel.open", {});
    },
  },
  {
    name: "channels: a failed one may not be opened before close-ok",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "c.missing", passive: true });
      await a.call(1, "channel.open", {});
    },
  },
  {
    name: "channels: content is assembled while closing",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "c.missing", passive: true });
      a.frame(frameType.body, 1, ascii("x"));
      await talk.settle();
    },
  },
  {
    name: "channels: the server's methods",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "queue.declare-ok", { queue: "q", messageCount: 0, consumerCount: 0 });
    },
  },
  {
    name: "channels: cancel-ok from a client",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "basic.cancel-ok", { consumerTag: "t" });
    },
  },
  {
    name: "channel.flow",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "channel.flow", { active: true });
      await a.call(1, "channel.flow", { active: false });
    },
  },
  {
    name: "access.request",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "access.request", { realm: "/data", active: true });
    },
  },
];
