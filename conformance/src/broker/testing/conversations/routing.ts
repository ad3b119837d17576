/** Which queues a message gets into. */

import { type FieldTable, TypedValue } from "@leveret/core/wire";
import type { Conversation } from "../conversation.ts";
import { declarations } from "./declarations.ts";
import { withChannel } from "./openings.ts";

const headersX = { exchange: "amq.headers" };

export const routingConversations: readonly Conversation[] = [
  declarations(
    "headers exchange: x-match",
    ["queue.declare", { queue: "q", exclusive: true }],
    ["queue.bind", { queue: "q", ...headersX, routingKey: "", arguments: { "x-match": "foo" } }],
    ["queue.bind", { queue: "q", ...headersX, routingKey: "", arguments: { "x-match": 1 } }],
    ["queue.bind", { queue: "q", ...headersX, routingKey: "", arguments: { "x-match": "any-with-x" } }],
  ),
  {
    name: "headers exchange: matching",
    run: async (talk) => {
      const a = await withChannel(talk);
      const bindings: Readonly<Record<string, FieldTable>> = {
        "h.all": { "x-match": "all", a: 1, b: "two" },
        "h.any": { "x-match": "any", a: 1, b: "two" },
        "h.none": {},
        "h.any.none": { "x-match": "any" },
        "h.present": { a: null },
        "h.x": { "x-foo": 1 },
        "h.all.x": { "x-match": "all-with-x", "x-foo": 1 },
        "h.any.x": { "x-match": "any-with-x", "x-foo": 1, z: 1 },
        "h.float": { a: new TypedValue("double", 1) },
        "h.small": { a: new TypedValue("int16", 1) },
        "h.bytes": { b: new TypedValue("bytes", new TextEncoder().encode("two")) },
        "h.bool": { c: true },
      };
      for (const [queueName, table] of Object.entries(bindings)) {
        await a.call(1, "queue.declare", { queue: queueName, exclusive: true });
        await a.call(1, "queue.bind", { queue: queueName, ...headersX, routingKey: "", arguments: table });
        await a.call(1, "basic.consume", { queue: queueName, consumerTag: queueName, noAck: true });
      }
      const messages: readonly FieldTable[] = [
        { a: 1, b: "two" },
        { a: 1 },
        { b: "two" },
        { "x-foo": 1 },
        { c: true },
        {},
      ];
      for (const headers of messages) {
        a.publish(1, {
          exchange: "amq.headers",
          routingKey: "",
          properties: { headers },
          body: JSON.stringify(headers),
        });
        await talk.settle();
      }
      a.publish(1, { exchange: "amq.headers", routingKey: "", body: "no headers" });
    },
  },
  {
    name: "headers exchange: times",
    run: async (talk) => {
      const a = await withChannel(talk);
      const numbers: FieldTable = { a: 5, b: 5000 };
      for (const [key, value] of Object.entries(numbers)) {
        await a.call(1, "queue.declare", { queue: `ht.${key}`, exclusive: true });
        await a.call(1, "queue.bind", { queue: `ht.${key}`, ...headersX, routingKey: "", arguments: { a: value } });
        await a.call(1, "basic.consume", { queue: `ht.${key}`, consumerTag: key, noAck: true });
      }
      await a.call(1, "queue.declare", { queue: "ht.t", exclusive: true });
      await a.call(1, "queue.bind", {
        queue: "ht.t",
        ...headersX,
        routingKey: "",
        arguments: { a: new Date(5_000_000) },
      });
      await a.call(1, "basic.consume", { queue: "ht.t", consumerTag: "t", noAck: true });
      for (const [body, value] of Object.entries({ time: new Date(5_000), later: new Date(5_000_000), ...numbers })) {
        a.publish(1, { exchange: "amq.headers", routingKey: "", properties: { headers: { a: value } }, body });
        await talk.settle();
      }
    },
  },
  {
    name: "topic exchange: matching",
    run: async (talk) => {
      const a = await withChannel(talk);
      const patterns = ["#", "*", "a.*", "a.#", "*.b", "#.b", "a.*.b", "a.#.b", "a*", "", "a.b", "#.#", "*.#"];
      for (const pattern of patterns) {
        const queueName = `t:${pattern}`;
        await a.call(1, "queue.declare", { queue: queueName, exclusive: true });
        await a.call(1, "queue.bind", { queue: queueName, exchange: "amq.topic", routingKey: pattern });
        await a.call(1, "basic.consume", { queue: queueName, consumerTag: queueName, noAck: true });
      }
      for (const key of ["", "a", "a.", "a.b", "a..b", "a.x.b", "a.x.y.b", "b", ".b", "a*", "*", "#"]) {
        a.publish(1, { exchange: "amq.topic", routingKey: key, body: key });
        await talk.settle();
      }
    },
  },
  {
    name: "routing: each queue once, through exchanges in a circle, and alternates",
    run: async (talk) => {
      const a = await withChannel(talk);
      const alternate = { "alternate-exchange": "r.ae" };
      await a.call(1, "exchange.declare", { exchange: "r.x", type: "direct", autoDelete: false, arguments: alternate });
      await a.call(1, "exchange.declare", { exchange: "r.y", type: "fanout" });
      await a.call(1, "exchange.declare", { exchange: "r.ae", type: "fanout" });
      await a.call(1, "exchange.declare", { exchange: "r.in", type: "fanout", internal: true });
      await a.call(1, "queue.declare", { queue: "r.q", exclusive: true });
      await a.call(1, "queue.declare", { queue: "r.lost", exclusive: true });
      for (const routingKey of ["one", "two"]) {
        await a.call(1, "queue.bind", { queue: "r.q", exchange: "r.x", routingKey });
        await a.call(1, "exchange.bind", { source: "r.x", destination: "r.y", routingKey });
      }
      await a.call(1, "exchange.bind", { source: "r.y", destination: "r.x", routingKey: "" });
      await a.call(1, "exchange.bind", { source: "r.y", destination: "r.in", routingKey: "" });
      await a.call(1, "queue.bind", { queue: "r.q", exchange: "r.in", routingKey: "" });
      await a.call(1, "queue.bind", { queue: "r.lost", exchange: "r.ae", routingKey: "" });
      await a.call(1, "basic.consume", { queue: "r.q", consumerTag: "q", noAck: true });
      await a.call(1, "basic.consume", { queue: "r.lost", consumerTag: "lost", noAck: true });
      a.publish(1, { exchange: "r.x", routingKey: "one", body: "1", mandatory: true });
      await talk.settle();
      a.publish(1, { exchange: "r.x", routingKey: "nobody", body: "2", mandatory: true });
      await talk.settle();
      a.publish(1, { exchange: "r.in", routingKey: "", body: "3" });
      await talk.settle();
    },
  },
  {
    name: "routing: CC and BCC",
    run: async (talk) => {
      const a = await withChannel(talk);
      for (const queueName of ["c1", "c2", "c3"]) {
        await a.call(1, "queue.declare", { queue: queueName, exclusive: true });
        await a.call(1, "basic.consume", { queue: queueName, consumerTag: queueName, noAck: true });
      }
      a.publish(1, { routingKey: "c1", properties: { headers: { CC: ["c2", "c1", 5], BCC: ["c3"] } }, body: "all" });
      await talk.settle();
      a.publish(1, { routingKey: "c1", properties: { headers: { CC: "c2" } }, body: "refused" });
      await talk.settle();
    },
  },
];
