/** Declaring, binding and deleting. */

import { type Arguments, type FieldTable, TypedValue } from "@leveret/core/wire";
import type { Conversation, Talk, WireConnection } from "../conversation.ts";

async function channel(talk: Talk): Promise<WireConnection> {
  const a = await talk.connect();
  await a.open(1);
  return a;
}

/** Declares one thing after the other, each on a channel of its own. */
function declarations(
  name: string,
  ...steps: readonly (
    | readonly ["exchange.declare", Arguments<"exchange.declare">]
    | readonly ["exchange.delete", Arguments<"exchange.delete">]
    | readonly ["exchange.bind", Arguments<"exchange.bind">]
    | readonly ["exchange.unbind", Arguments<"exchange.unbind">]
    | readonly ["queue.declare", Arguments<"queue.declare">]
    | readonly ["queue.bind", Arguments<"queue.bind">]
    | readonly ["queue.unbind", Arguments<"queue.unbind">]
    | readonly ["queue.delete", Arguments<"queue.delete">]
    | readonly ["queue.purge", Arguments<"queue.purge">]
    | readonly ["basic.get", Arguments<"basic.get">]
  )[]
): Conversation {
  return {
    name,
    run: async (talk) => {
      const a = await talk.connect();
      let number = 0;
      for (const [method, fields] of steps) {
        number += 1;
        await a.open(number);
        await a.call(number, method, fields as never);
      }
    },
  };
}

const direct = { exchange: "x", type: "direct", durable: true };

export const exchangeConversations: readonly Conversation[] = [
  declarations(
    "exchange.declare: the same again",
    ["exchange.declare", direct],
    ["exchange.declare", direct],
    ["exchange.declare", { ...direct, type: "fanout" }],
    ["exchange.declare", { ...direct, durable: false }],
    ["exchange.declare", { ...direct, autoDelete: true }],
    ["exchange.declare", { ...direct, internal: true }],
    ["exchange.declare", { ...direct, arguments: { "alternate-exchange": "ae" } }],
    ["exchange.declare", { ...direct, arguments: { other: 1 } }],
    ["exchange.declare", { exchange: "x", type: "", passive: true }],
  ),
  declarations("exchange.declare: an unknown type", ["exchange.declare", { exchange: "x", type: "nonsense" }]),
  declarations("exchange.declare: an empty type", ["exchange.declare", { exchange: "x", type: "" }]),
  declarations(
    "exchange.declare: reserved names",
    ["exchange.declare", { exchange: "amq.foo", type: "direct" }],
    ["exchange.declare", { exchange: "amq.direct", type: "direct", durable: true }],
    ["exchange.declare", { exchange: "amq.direct", type: "direct" }],
    ["exchange.declare", { exchange: "", type: "direct" }],
    ["exchange.declare", { exchange: "", type: "", passive: true }],
    ["exchange.declare", { exchange: "missing", type: "", passive: true }],
    ["exchange.declare", { exchange: "amq.missing", type: "", passive: true }],
  ),
  declarations(
    "exchange.declare: alternate exchanges",
    ["exchange.declare", { ...direct, arguments: { "alternate-exchange": "ae" } }],
    ["exchange.declare", { ...direct, arguments: { "alternate-exchange": "other" } }],
    ["exchange.declare", { exchange: "x2", type: "direct", arguments: { "alternate-exchange": 1 } }],
    ["exchange.declare", { exchange: "x3", type: "direct", arguments: { "alternate-exchange": null } }],
  ),
  declarations(
    "exchange.declare: line ends are stripped",
    ["exchange.declare", { exchange: "a\r\nb", type: "direct" }],
    ["exchange.declare", { exchange: "ab", type: "", passive: true }],
    ["exchange.delete", { exchange: "ab" }],
  ),
  declarations(
    "exchange.delete",
    ["exchange.delete", { exchange: "missing" }],
    ["exchange.delete", { exchange: "amq.direct" }],
    ["exchange.delete", { exchange: "amq.missing" }],
    ["exchange.delete", { exchange: "" }],
    ["exchange.declare", direct],
    ["queue.declare", { queue: "q", exclusive: true }],
    ["queue.bind", { queue: "q", exchange: "x", routingKey: "k" }],
    ["exchange.delete", { exchange: "x", ifUnused: true }],
    ["exchange.delete", { exchange: "x" }],
  ),
  declarations(
    "exchange.bind and unbind",
    ["exchange.declare", direct],
    ["exchange.declare", { exchange: "y", type: "fanout" }],
    ["exchange.bind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.unbind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.unbind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "x", destination: "missing", routingKey: "k" }],
    ["exchange.bind", { source: "missing", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "none", destination: "missing", routingKey: "k" }],
    ["exchange.unbind", { source: "missing", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "x", destination: "", routingKey: "k" }],
    ["exchange.unbind", { source: "", destination: "y", routingKey: "k" }],
  ),
  {
    name: "exchange: auto-delete ends with its last binding as a source",
    run: async (talk) => {
      const a = await channel(talk);
      await a.call(1, "exchange.declare", { exchange: "ad", type: "fanout", autoDelete: true });
      await a.call(1, "exchange.declare", { exchange: "up", type: "fanout", autoDelete: true });
      await a.call(1, "exchange.bind", { source: "up", destination: "ad", routingKey: "" });
      await a.call(1, "queue.declare", { queue: "q", exclusive: true });
      await a.call(1, "queue.bind", { queue: "q", exchange: "ad", routingKey: "" });
      await a.call(1, "queue.delete", { queue: "q" });
      await a.call(1, "exchange.declare", { exchange: "ad", type: "", passive: true });
      await a.open(2);
      await a.call(2, "exchange.declare", { exchange: "up", type: "", passive: true });
    },
  },
];

const queue = { queue: "q", durable: true };

function queueArguments(name: string, ...tables: readonly FieldTable[]): Conversation {
  return {
    name: `queue arguments: ${name}`,
    run: async (talk) => {
      const a = await talk.connect();
      let number = 0;
      for (const table of tables) {
        number += 1;
        await a.open(number);
        await a.call(number, "queue.declare", { queue: `qa.${number}`, durable: true, arguments: table });
      }
    },
  };
}

export const queueConversations: readonly Conversation[] = [
  declarations(
    "queue.declare: the same again",
    ["queue.declare", queue],
    ["queue.declare", queue],
    ["queue.declare", { queue: "q" }],
    ["queue.declare", { ...queue, autoDelete: true }],
    ["queue.declare", { ...queue, exclusive: true }],
    ["queue.declare", { ...queue, arguments: { "x-max-length": 1 } }],
    ["queue.declare", { ...queue, arguments: { "x-queue-type": "classic" } }],
    ["queue.declare", { ...queue, arguments: { unknown: 1 } }],
    ["queue.declare", { queue: "q", passive: true }],
  ),
  declarations(
    "queue.declare: arguments again",
    ["queue.declare", { ...queue, arguments: { "x-max-length": 10, "x-overflow": "reject-publish" } }],
    [
      "queue.declare",
      { ...queue, arguments: { "x-max-length": new TypedValue("int64", 10), "x-overflow": "reject-publish" } },
    ],
    ["queue.declare", { ...queue, arguments: { "x-max-length": 11, "x-overflow": "reject-publish" } }],
    ["queue.declare", { ...queue, arguments: { "x-max-length": 10 } }],
    ["queue.declare", { ...queue, arguments: { "x-max-length": 10, "x-overflow": "drop-head" } }],
    ["queue.declare", queue],
    ["queue.declare", { ...queue, arguments: { "x-max-length": new TypedValue("double", 10) } }],
  ),
  {
    name: "queue.declare: exclusive",
    run: async (talk) => {
      const a = await channel(talk);
      const b = await talk.connect();
      await a.call(1, "queue.declare", { queue: "ex", exclusive: true });
      await a.call(1, "queue.declare", { queue: "ex", exclusive: true, durable: true });
      let number = 0;
      const others: readonly (readonly [string, object])[] = [
        ["queue.declare", { queue: "ex", exclusive: true }],
        ["queue.declare", { queue: "ex" }],
        ["queue.declare", { queue: "ex", passive: true }],
        ["basic.consume", { queue: "ex", consumerTag: "t" }],
        ["basic.get", { queue: "ex" }],
        ["queue.bind", { queue: "ex", exchange: "amq.direct", routingKey: "k" }],
        ["queue.unbind", { queue: "ex", exchange: "amq.direct", routingKey: "k" }],
        ["queue.purge", { queue: "ex" }],
        ["queue.delete", { queue: "ex" }],
      ];
      for (const [method, fields] of others) {
        number += 1;
        await b.open(number);
        await b.call(number, method as "queue.declare", fields as Arguments<"queue.declare">);
      }
      await b.open(50);
      b.publish(50, { routingKey: "ex", body: "for all" });
      await talk.settle();
      await a.call(1, "basic.get", { queue: "ex", noAck: true });
      await a.call(1, "queue.declare", { queue: "ex" });
    },
  },
  {
    name: "queue.declare: exclusive queues end with their connection",
    run: async (talk) => {
      const a = await channel(talk);
      await a.call(1, "queue.declare", { queue: "ex", exclusive: true });
      await a.call(0, "connection.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      const b = await channel(talk);
      await b.call(1, "queue.declare", { queue: "ex", passive: true });
    },
  },
  declarations(
    "queue.declare: names",
    ["queue.declare", { queue: "", exclusive: true }],
    ["queue.declare", { queue: "amq.mine", durable: true }],
    ["queue.declare", { queue: "amq.mine", passive: true }],
    ["queue.declare", { queue: "", passive: true }],
    ["queue.declare", { queue: "missing", passive: true }],
    ["queue.declare", { queue: "a\r\nb", exclusive: true }],
    ["queue.declare", { queue: "", durable: true, arguments: { "x-queue-type": "quorum" } }],
  ),
  {
    name: "queue: an empty name is the last one declared",
    run: async (talk) => {
      const a = await channel(talk);
      await a.call(1, "queue.declare", { queue: "q", exclusive: true });
      await a.call(1, "queue.bind", { queue: "", exchange: "amq.direct", routingKey: "" });
      a.publish(1, { exchange: "amq.direct", routingKey: "q", body: "by its name" });
      await talk.settle();
      await a.call(1, "basic.get", { queue: "", noAck: true });
      await a.call(1, "queue.purge", { queue: "" });
      await a.call(1, "queue.delete", { queue: "" });
      await a.call(1, "queue.delete", { queue: "" });
      await a.open(2);
      await a.call(2, "basic.get", { queue: "" });
    },
  },
  declarations(
    "queue.bind and unbind",
    ["queue.declare", { queue: "q", exclusive: true }],
    ["queue.bind", { queue: "q", exchange: "amq.direct", routingKey: "k" }],
    ["queue.bind", { queue: "q", exchange: "amq.direct", routingKey: "k" }],
    ["queue.bind", { queue: "q", exchange: "missing", routingKey: "k" }],
    ["queue.bind", { queue: "missing", exchange: "amq.direct", routingKey: "k" }],
    ["queue.bind", { queue: "missing", exchange: "none", routingKey: "k" }],
    ["queue.bind", { queue: "q", exchange: "", routingKey: "k" }],
    ["queue.unbind", { queue: "q", exchange: "amq.direct", routingKey: "other" }],
    ["queue.unbind", { queue: "q", exchange: "missing", routingKey: "k" }],
    ["queue.unbind", { queue: "missing", exchange: "amq.direct", routingKey: "k" }],
    ["queue.unbind", { queue: "q", exchange: "", routingKey: "k" }],
    ["queue.unbind", { queue: "q", exchange: "amq.direct", routingKey: "k" }],
  ),
  {
    name: "queue.delete and purge",
    run: async (talk) => {
      const a = await talk.connect();
      for (const number of [1, 2, 3, 4, 5]) await a.open(number);
      await a.call(1, "queue.declare", { queue: "q", exclusive: true });
      for (const body of ["1", "2", "3"]) a.publish(1, { routingKey: "q", body });
      await a.call(1, "queue.delete", { queue: "q", ifEmpty: true });
      await a.call(2, "queue.purge", { queue: "q" });
      await a.call(2, "queue.purge", { queue: "missing" });
      await a.call(3, "basic.consume", { queue: "q", consumerTag: "t" });
      await a.call(4, "queue.delete", { queue: "q", ifUnused: true });
      await a.call(5, "queue.delete", { queue: "missing" });
      await a.call(5, "queue.delete", { queue: "q" });
    },
  },
  {
    name: "queue: auto-delete ends with its last consumer",
    run: async (talk) => {
      const a = await channel(talk);
      await a.call(1, "queue.declare", { queue: "ad", durable: true, autoDelete: true });
      await a.call(1, "queue.declare", { queue: "ad", passive: true });
      await a.call(1, "basic.consume", { queue: "ad", consumerTag: "one" });
      await a.call(1, "basic.consume", { queue: "ad", consumerTag: "two" });
      await a.call(1, "basic.cancel", { consumerTag: "one" });
      await a.call(1, "queue.declare", { queue: "ad", passive: true });
      await a.call(1, "basic.cancel", { consumerTag: "two" });
      await a.call(1, "queue.declare", { queue: "ad", passive: true });
    },
  },
  {
    name: "queue: nowait says nothing, unless it fails",
    run: async (talk) => {
      const a = await channel(talk);
      a.tell(1, "queue.declare", { queue: "nw", exclusive: true, noWait: true });
      a.tell(1, "queue.bind", { queue: "nw", exchange: "amq.fanout", routingKey: "", noWait: true });
      a.tell(1, "basic.consume", { queue: "nw", consumerTag: "t", noWait: true });
      a.tell(1, "basic.cancel", { consumerTag: "t", noWait: true });
      a.tell(1, "queue.purge", { queue: "nw", noWait: true });
      a.tell(1, "exchange.declare", { exchange: "nwx", type: "fanout", noWait: true });
      a.tell(1, "exchange.delete", { exchange: "nwx", noWait: true });
      a.tell(1, "confirm.select", { noWait: true });
      await talk.settle();
      a.tell(1, "queue.delete", { queue: "nw", noWait: true });
      await talk.settle();
      await a.call(1, "queue.bind", { queue: "missing", exchange: "amq.direct", routingKey: "", noWait: true });
    },
  },
  queueArguments(
    "numbers",
    { "x-message-ttl": -1 },
    { "x-message-ttl": 315_360_000_001 },
    { "x-message-ttl": new TypedValue("double", 1000) },
    { "x-message-ttl": "1000" },
    { "x-expires": 0 },
    { "x-expires": -1 },
    { "x-max-length": -1 },
    { "x-max-length": true },
    { "x-max-length-bytes": "1" },
    { "x-max-priority": 256 },
    { "x-max-priority": -1 },
    { "x-max-priority": "high" },
  ),
  queueArguments(
    "words",
    { "x-overflow": "nope" },
    { "x-overflow": 1 },
    { "x-dead-letter-exchange": 1 },
    { "x-dead-letter-routing-key": "k" },
    { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": 5 },
    { "x-single-active-consumer": "yes" },
    { "x-queue-type": "nope" },
    { "x-queue-type": 1 },
    { "x-queue-mode": "nope" },
    { "x-queue-version": 3 },
  ),
  queueArguments(
    "of another type",
    { "x-max-age": "1h" },
    { "x-queue-type": "quorum", "x-max-priority": 5 },
    { "x-queue-type": "stream", "x-message-ttl": 5 },
    { "x-queue-type": "stream", "x-max-age": "1x" },
    { "x-queue-type": "stream", "x-max-age": 5 },
    { "x-queue-type": "stream", "x-stream-max-segment-size-bytes": -1 },
  ),
  declarations(
    "queue types: what they refuse",
    ["queue.declare", { queue: "qt1", arguments: { "x-queue-type": "quorum" } }],
    ["queue.declare", { queue: "qt2", durable: true, exclusive: true, arguments: { "x-queue-type": "quorum" } }],
    ["queue.declare", { queue: "qt3", durable: true, autoDelete: true, arguments: { "x-queue-type": "quorum" } }],
    ["queue.declare", { queue: "qt4", arguments: { "x-queue-type": "stream" } }],
    ["queue.declare", { queue: "qt5", durable: true, arguments: { "x-queue-type": "quorum" } }],
    ["queue.declare", { queue: "qt5", durable: true }],
    ["queue.declare", { queue: "qt5", durable: true, arguments: { "x-queue-type": "classic" } }],
  ),
  {
    name: "queue: x-expires",
    run: async (talk) => {
      const a = await channel(talk);
      await a.call(1, "queue.declare", { queue: "xe", durable: true, arguments: { "x-expires": 1500 } });
      await talk.wait(900);
      await a.call(1, "queue.declare", { queue: "xe", durable: true, arguments: { "x-expires": 1500 } });
      await talk.wait(900);
      await a.call(1, "queue.declare", { queue: "xe", passive: true });
      await talk.wait(2000);
      await a.call(1, "queue.declare", { queue: "xe", passive: true });
    },
  },
];

const headersX = { exchange: "amq.headers" };

export const bindingConversations: readonly Conversation[] = [
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
      const a = await channel(talk);
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
    name: "topic exchange: matching",
    run: async (talk) => {
      const a = await channel(talk);
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
      const a = await channel(talk);
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
      const a = await channel(talk);
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
