/** Opening and closing connections and channels; frames that are wrong. */

import { frameType } from "@leveret/core/wire";
import type { Conversation } from "../conversation.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function headerConversation(name: string, bytes: Uint8Array): Conversation {
  return {
    name: `protocol header: ${name}`,
    run: async (talk) => {
      const a = await talk.dial();
      a.sendBytes(bytes);
      await a.ended();
    },
  };
}

export const handshakeConversations: readonly Conversation[] = [
  headerConversation("0-9-2", Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 2)),
  headerConversation("something else", ascii("GET / HTTP/1.1\r\n\r\n")),
  {
    name: "login: wrong password, with the capability",
    run: async (talk) => {
      const a = await talk.connect({ password: "wrong" });
      await a.ended();
    },
  },
  {
    name: "login: wrong password, without the capability",
    run: async (talk) => {
      const a = await talk.connect({ password: "wrong", capabilities: {} });
      await a.ended();
    },
  },
  {
    name: "login: a mechanism that is not offered",
    run: async (talk) => {
      const a = await talk.connect({ until: "start" });
      const nothing = new Uint8Array(0);
      a.tell(0, "connection.start-ok", { mechanism: "NONE", response: nothing, locale: "en_US" });
      await a.ended();
    },
  },
  {
    name: "login: PLAIN with an authorization identity",
    run: async (talk) => {
      const a = await talk.connect({ until: "start" });
      a.tell(0, "connection.start-ok", { mechanism: "PLAIN", response: ascii("x\0guest\0guest"), locale: "en_US" });
      await a.ended();
    },
  },
  {
    name: "login: AMQPLAIN",
    run: async (talk) => {
      const a = await talk.connect({ until: "start" });
      const response = Uint8Array.from([
        ...[5, ...ascii("LOGIN"), 0x53, 0, 0, 0, 5, ...ascii("guest")],
        ...[8, ...ascii("PASSWORD"), 0x53, 0, 0, 0, 5, ...ascii("guest")],
      ]);
      await a.call(0, "connection.start-ok", { mechanism: "AMQPLAIN", response, locale: "en_US" });
      a.tell(0, "connection.tune-ok", { channelMax: 10, frameMax: 131_072, heartbeat: 0 });
      await a.call(0, "connection.open", { virtualHost: "/" });
    },
  },
  {
    name: "handshake: connection.open too early",
    run: async (talk) => {
      const a = await talk.connect({ until: "tune" });
      a.tell(0, "connection.open", { virtualHost: "/" });
      await a.ended();
    },
  },
  {
    name: "handshake: connection.close before it is open",
    run: async (talk) => {
      const a = await talk.connect({ until: "tune" });
      a.tell(0, "connection.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      await a.ended();
    },
  },
  {
    name: "tuning: no limit where the broker has one",
    run: async (talk) => {
      const a = await talk.connect({ until: "tune" });
      a.tell(0, "connection.tune-ok", { channelMax: 2047, frameMax: 0, heartbeat: 0 });
      a.tell(0, "connection.open", { virtualHost: "/" });
      await a.ended();
    },
  },
  {
    name: "tuning: more channels than proposed",
    run: async (talk) => {
      const a = await talk.connect({ until: "tune" });
      a.tell(0, "connection.tune-ok", { channelMax: 2048, frameMax: 131_072, heartbeat: 0 });
      a.tell(0, "connection.open", { virtualHost: "/" });
      await a.ended();
    },
  },
  {
    name: "tuning: a frame size below the minimum",
    run: async (talk) => {
      const a = await talk.connect({ until: "tune" });
      a.tell(0, "connection.tune-ok", { channelMax: 2047, frameMax: 4095, heartbeat: 0 });
      a.tell(0, "connection.open", { virtualHost: "/" });
      await a.ended();
    },
  },
  {
    name: "virtual host: missing",
    run: async (talk) => {
      const a = await talk.connect({ virtualHost: "nope" });
      await a.call(0, "connection.close-ok", {});
      await a.ended();
    },
  },
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
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "connection.close", { replyCode: 200, replyText: "bye", classId: 0, methodId: 0 });
    },
  },
  {
    name: "connection.close: both at once",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "channel.close-ok", {});
    },
  },
  {
    name: "channels: closed, and opened again",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "channel.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      await a.call(1, "channel.open", {});
      await a.call(1, "confirm.select", {});
    },
  },
  {
    name: "channels: a failed one swallows everything but its close",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
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
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "queue.declare", { queue: "c.missing", passive: true });
      await a.call(1, "channel.open", {});
    },
  },
  {
    name: "channels: content is assembled while closing",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "queue.declare", { queue: "c.missing", passive: true });
      a.frame(frameType.body, 1, ascii("x"));
      await talk.settle();
    },
  },
  {
    name: "channels: the server's methods",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "queue.declare-ok", { queue: "q", messageCount: 0, consumerCount: 0 });
    },
  },
  {
    name: "channels: cancel-ok from a client",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "basic.cancel-ok", { consumerTag: "t" });
    },
  },
  {
    name: "channel.flow",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "channel.flow", { active: true });
      await a.call(1, "channel.flow", { active: false });
    },
  },
  {
    name: "access.request",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.call(1, "access.request", { realm: "/data", active: true });
    },
  },
  {
    name: "frames: larger than agreed",
    run: async (talk) => {
      const a = await talk.connect({ frameMax: 8192 });
      await a.open(1);
      a.publish(1, { routingKey: "nobody" });
      a.frame(frameType.method, 1, Uint8Array.of(0, 60, 0, 40, 0, 0, 0, 0, 0));
      a.frame(frameType.header, 1, Uint8Array.of(0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0));
      a.frame(frameType.body, 1, new Uint8Array(8193));
      await a.ended();
    },
  },
  {
    name: "frames: a wrong end octet",
    run: async (talk) => {
      const a = await talk.connect();
      a.frame(frameType.heartbeat, 0, new Uint8Array(0), 0xcd);
      await a.ended();
    },
  },
  {
    name: "frames: an unknown type",
    run: async (talk) => {
      const a = await talk.connect();
      a.frame(7, 0, ascii("abc"));
      await talk.settle();
    },
  },
  {
    name: "frames: a heartbeat on a channel",
    run: async (talk) => {
      const a = await talk.connect();
      a.frame(frameType.heartbeat, 1, new Uint8Array(0));
      await talk.settle();
    },
  },
  {
    name: "frames: a header on channel 0",
    run: async (talk) => {
      const a = await talk.connect();
      a.frame(frameType.header, 0, header(0));
      await talk.settle();
    },
  },
  {
    name: "frames: a header that is too short",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      a.frame(frameType.header, 1, Uint8Array.of(1));
      await talk.settle();
    },
  },
  {
    name: "frames: a method that is too short to be one",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      a.frame(frameType.method, 1, Uint8Array.of(0, 85));
      await talk.settle();
    },
  },
  {
    name: "frames: an unknown method",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      a.frame(frameType.method, 1, Uint8Array.of(0, 99, 0, 1));
      await a.ended();
    },
  },
  {
    name: "frames: a method that is too short",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      a.frame(frameType.method, 1, Uint8Array.of(0, 60, 0, 10, 0, 0, 0, 0));
      await talk.settle();
    },
  },
  {
    name: "frames: a method that is too long",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      a.frame(frameType.method, 1, Uint8Array.of(0, 85, 0, 10, 0, 7));
      await talk.settle();
    },
  },
  {
    name: "frames: a short string that is not UTF-8",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      a.frame(frameType.method, 1, Uint8Array.of(0, 60, 0, 30, 2, 0xff, 0xfe, 0));
      await talk.settle();
    },
  },
  {
    name: "frames: a bad field type in a method",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      const table = Uint8Array.of(0, 0, 0, 5, 1, 0x61, 0x55, 0, 1);
      a.frame(frameType.method, 1, Uint8Array.from([0, 50, 0, 10, 0, 0, 1, 0x71, 0, ...table]));
      await a.ended();
    },
  },
];

const publish = Uint8Array.of(0, 60, 0, 40, 0, 0, 0, 1, 0x71, 0);

function contentConversation(
  name: string,
  frames: readonly (readonly [type: number, payload: Uint8Array])[],
): Conversation {
  return {
    name: `content: ${name}`,
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      for (const [type, payload] of frames) a.frame(type, 1, payload);
      await talk.settle();
    },
  };
}

function header(bodySize: number, classId = 60, weight = 0): Uint8Array {
  return Uint8Array.of(0, classId, 0, weight, 0, 0, 0, 0, 0, 0, bodySize >> 8, bodySize & 0xff, 0, 0);
}

export const contentConversations: readonly Conversation[] = [
  contentConversation("a header without a method", [[frameType.header, header(0)]]),
  contentConversation("a body without a method", [[frameType.body, ascii("x")]]),
  contentConversation("a method where a header is due", [
    [frameType.method, publish],
    [frameType.method, Uint8Array.of(0, 85, 0, 10, 0)],
  ]),
  contentConversation("a body where a header is due", [
    [frameType.method, publish],
    [frameType.body, ascii("x")],
  ]),
  contentConversation("a header of another class", [
    [frameType.method, publish],
    [frameType.header, header(0, 50)],
  ]),
  contentConversation("a weight", [
    [frameType.method, publish],
    [frameType.header, header(0, 60, 1)],
  ]),
  contentConversation("a method where a body is due", [
    [frameType.method, publish],
    [frameType.header, header(2)],
    [frameType.method, Uint8Array.of(0, 85, 0, 10, 0)],
  ]),
  contentConversation("a body after an empty content", [
    [frameType.method, publish],
    [frameType.header, header(0)],
    [frameType.body, new Uint8Array(0)],
  ]),
  contentConversation("more body than announced", [
    [frameType.method, publish],
    [frameType.header, header(2)],
    [frameType.body, ascii("abc")],
  ]),
  contentConversation("properties that do not parse", [
    [frameType.method, publish],
    [frameType.header, Uint8Array.of(0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 9, 0x61)],
  ]),
  contentConversation("a bad field type in the headers", [
    [frameType.method, publish],
    [
      frameType.header,
      Uint8Array.of(...[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0], ...[0, 0, 0, 5, 1, 0x61, 0x55, 0, 1]),
    ],
  ]),
  {
    name: "content: of several channels, interleaved",
    run: async (talk) => {
      const a = await talk.connect();
      await a.open(1);
      await a.open(2);
      await a.call(1, "queue.declare", { queue: "q", exclusive: true });
      await a.call(1, "basic.consume", { queue: "q", consumerTag: "t", noAck: true });
      a.frame(frameType.method, 1, publish);
      a.frame(frameType.method, 2, publish);
      a.frame(frameType.header, 2, header(3));
      a.frame(frameType.header, 1, header(4));
      a.frame(frameType.body, 1, ascii("on"));
      a.frame(frameType.body, 2, ascii("two"));
      a.frame(frameType.body, 1, new Uint8Array(0));
      a.frame(frameType.body, 1, ascii("e!"));
      await talk.settle();
    },
  },
];
