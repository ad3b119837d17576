/** From the protocol header to connection.open: login, tuning, the virtual host. */

import type { Conversation } from "../conversation.ts";
import { ascii } from "./openings.ts";

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
];
