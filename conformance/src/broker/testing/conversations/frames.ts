/** Frames that are wrong, and content that does not follow its method as it should. */

import { frameType } from "@leveret/core/wire";
import type { Conversation } from "../conversation.ts";
import { ascii, withChannel } from "./openings.ts";

export const frameConversations: readonly Conversation[] = [
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
      const a = await withChannel(talk);
      a.frame(frameType.header, 1, Uint8Array.of(1));
      await talk.settle();
    },
  },
  {
    name: "frames: a method that is too short to be one",
    run: async (talk) => {
      const a = await withChannel(talk);
      a.frame(frameType.method, 1, Uint8Array.of(0, 85));
      await talk.settle();
    },
  },
  {
    name: "frames: an unknown method",
    run: async (talk) => {
      const a = await withChannel(talk);
      a.frame(frameType.method, 1, Uint8Array.of(0, 99, 0, 1));
      await a.ended();
    },
  },
  {
    name: "frames: a method that is too short",
    run: async (talk) => {
      const a = await withChannel(talk);
      a.frame(frameType.method, 1, Uint8Array.of(0, 60, 0, 10, 0, 0, 0, 0));
      await talk.settle();
    },
  },
  {
    name: "frames: a method that is too long",
    run: async (talk) => {
      const a = await withChannel(talk);
      a.frame(frameType.method, 1, Uint8Array.of(0, 85, 0, 10, 0, 7));
      await talk.settle();
    },
  },
  {
    name: "frames: a short string that is not UTF-8",
    run: async (talk) => {
      const a = await withChannel(talk);
      a.frame(frameType.method, 1, Uint8Array.of(0, 60, 0, 30, 2, 0xff, 0xfe, 0));
      await talk.settle();
    },
  },
  {
    name: "frames: a bad field type in a method",
    run: async (talk) => {
      const a = await withChannel(talk);
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
      const a = await withChannel(talk);
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
      const a = await withChannel(talk);
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
