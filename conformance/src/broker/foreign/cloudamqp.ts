/** @cloudamqp/amqp-client (https://www.npmjs.com/package/@cloudamqp/amqp-client) on the embedded broker. */

import { deepEqual, equal, rejects } from "node:assert/strict";
import { type AMQPChannel, AMQPClient, type AMQPMessage, type AMQPProperties } from "@cloudamqp/amqp-client";
import { brokerUrl, runSteps, signal, type Step } from "./program.ts";

const client = new AMQPClient(brokerUrl());
client.logger = undefined;
const connection = await client.connect();

/** A queue of the connection's own, and what the steps do with it. */
async function ownQueue(channel: AMQPChannel) {
  const { name } = await channel.queueDeclare("", { exclusive: true });
  return {
    publish: (body: string | Uint8Array, properties: AMQPProperties = {}) =>
      channel.basicPublish("", name, body, properties),
    get: (noAck = true) => channel.basicGet(name, { noAck }),
    bind: (exchange: string) => channel.queueBind(name, exchange, ""),
    subscribe: (onMessage: (message: AMQPMessage) => Promise<void>) =>
      channel.basicConsume(name, { noAck: false }, onMessage),
  };
}

const steps: readonly Step[] = [
  [
    "confirmed messages come in order",
    async () => {
      const channel = await connection.channel();
      await channel.confirmSelect();
      const queue = await ownQueue(channel);
      await Promise.all(Array.from({ length: 500 }, (_, index) => queue.publish(String(index))));
      const seen: string[] = [];
      const all = signal<void>();
      await channel.basicQos(50);
      const consumer = await queue.subscribe(async (message: AMQPMessage) => {
        seen.push(message.bodyString() ?? "");
        await message.ack();
        if (seen.length === 500) all.resolve();
      });
      await all.promise;
      equal(seen.join(), Array.from({ length: 500 }, (_, index) => index).join());
      await consumer.cancel();
      await channel.close();
    },
  ],
  [
    "headers arrive as they left",
    async () => {
      const channel = await connection.channel();
      const queue = await ownQueue(channel);
      const headers = { text: "x", number: 5, float: 1.5, yes: true, list: [1, "a"], table: { deep: 1 } };
      await queue.publish("x", { headers, deliveryMode: 2, correlationId: "c", priority: 1 });
      const message = await queue.get();
      deepEqual(message?.properties.headers, headers);
      equal(message?.properties.correlationId, "c");
      await channel.close();
    },
  ],
  [
    "a large body comes in many frames",
    async () => {
      const channel = await connection.channel();
      const queue = await ownQueue(channel);
      const body = new Uint8Array(600_000).fill(7);
      await queue.publish(body);
      const message = await queue.get();
      equal(message?.body?.length, body.length);
      await channel.close();
    },
  ],
  [
    "exchanges are declared, bound to each other, and deleted",
    async () => {
      const channel = await connection.channel();
      await channel.exchangeDeclare("foreign.up", "topic", { durable: false, autoDelete: false });
      await channel.exchangeDeclare("foreign.down", "fanout", { durable: false, autoDelete: false });
      await channel.exchangeBind("foreign.down", "foreign.up", "a.#");
      const queue = await ownQueue(channel);
      await queue.bind("foreign.down");
      await channel.basicPublish("foreign.up", "a.b.c", "through");
      equal((await queue.get())?.bodyString(), "through");
      await channel.exchangeDelete("foreign.up");
      await channel.exchangeDelete("foreign.down");
      await channel.close();
    },
  ],
  [
    "an unroutable message comes back",
    async () => {
      const channel = await connection.channel();
      const returned = signal<string>();
      channel.onReturn = (message) => returned.resolve(message.bodyString() ?? "");
      await channel.confirmSelect();
      await channel.basicPublish("", "foreign.nobody", "back", {}, true);
      equal(await returned.promise, "back");
      await channel.close();
    },
  ],
  [
    "a channel that fails tells why, and the connection goes on",
    async () => {
      const channel = await connection.channel();
      await rejects(channel.queueDeclare("foreign.missing", { passive: true }), /404|NOT_FOUND/);
      const next = await connection.channel();
      const { messageCount } = await next.queueDeclare("", { exclusive: true });
      equal(messageCount, 0);
      await next.close();
    },
  ],
  [
    "a nack brings a message back",
    async () => {
      const channel = await connection.channel();
      const queue = await ownQueue(channel);
      await queue.publish("x");
      const first = await queue.get(false);
      await first?.nack(true);
      const again = await queue.get(false);
      equal(again?.redelivered, true);
      await again?.ack();
      equal(await queue.get(), null);
      await channel.close();
    },
  ],
  [
    "a transaction is all or nothing",
    async () => {
      const channel = await connection.channel();
      const queue = await ownQueue(channel);
      await channel.txSelect();
      await queue.publish("dropped");
      await channel.txRollback();
      await queue.publish("kept");
      await channel.txCommit();
      equal((await queue.get())?.bodyString(), "kept");
      equal(await queue.get(), null);
      await channel.close();
    },
  ],
  ["the connection closes in order", () => connection.close()],
];

await runSteps(steps);
