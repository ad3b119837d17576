/** Declaring, binding, purging and deleting queues; their arguments, and when they end. */

import { type Arguments, type FieldTable, TypedValue } from "@leveret/core/wire";
import type { Conversation } from "../conversation.ts";
import { declarations } from "./declarations.ts";
import { withChannel } from "./openings.ts";

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
  declarations(
    "queue.declare: a float that is not written out",
    ["queue.declare", { ...queue, arguments: { "x-message-ttl": 5000 } }],
    ["queue.declare", { ...queue, arguments: { "x-message-ttl": new TypedValue("double", 5000) } }],
  ),
  declarations("queue.declare: a name that does not fit into the answer", [
    "queue.declare",
    { queue: "x".repeat(255), passive: true },
  ]),
  declarations(
    "queue.declare: replicated, exclusive, and deleted by itself",
    ["queue.declare", { ...queue, exclusive: true, autoDelete: true, arguments: { "x-queue-type": "quorum" } }],
    ["queue.declare", { ...queue, exclusive: true, autoDelete: true, arguments: { "x-queue-type": "stream" } }],
  ),
  queueArguments(
    "what is not looked at",
    { "x-queue-type": "quorum", "x-delivery-limit": "many" },
    { "x-queue-type": "quorum", "x-stream-filter-size-bytes": "none" },
    { "x-stream-filter-size-bytes": "none" },
  ),
  queueArguments(
    "sizes of a stream",
    ...[15, 16, 255, 256, "16"].map((size) => ({ "x-queue-type": "stream", "x-stream-filter-size-bytes": size })),
    ...[3_000_000_000, 3_000_000_001].map((size) => ({
      "x-queue-type": "stream",
      "x-stream-max-segment-size-bytes": size,
    })),
  ),
  queueArguments("an age that does not begin with a number", { "x-queue-type": "stream", "x-max-age": "old" }),
  queueArguments(
    "where a queue is",
    { "x-queue-leader-locator": "client-local" },
    { "x-queue-leader-locator": 5 },
    ...["classic", "quorum", "stream"].map((type) => ({
      "x-queue-type": type,
      "x-queue-master-locator": "client-local",
    })),
  ),
  {
    name: "queue.declare: exclusive",
    run: async (talk) => {
      const a = await withChannel(talk);
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
      const a = await withChannel(talk);
      await a.call(1, "queue.declare", { queue: "ex", exclusive: true });
      await a.call(0, "connection.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
      const b = await withChannel(talk);
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
      const a = await withChannel(talk);
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
      const a = await withChannel(talk);
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
      const a = await withChannel(talk);
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
      const a = await withChannel(talk);
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
