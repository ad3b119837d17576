/** amqplib (https://www.npmjs.com/package/amqplib) on the embedded broker. */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { type ConfirmChannel, connect, type ConsumeMessage } from "amqplib";
import { brokerUrl, runSteps, signal, type Step } from "./program.ts";

const connection = await connect(brokerUrl());
connection.on("error", () => {});

/** A channel in confirm mode with a queue of its own. */
async function withQueue(options: object = {}): Promise<{ channel: ConfirmChannel; queue: string }> {
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {});
  const { queue } = await channel.assertQueue("", { exclusive: true, ...options });
  return { channel, queue };
}

/** Consumes until so many messages have come. */
async function collect(channel: ConfirmChannel, queue: string, count: number): Promise<ConsumeMessage[]> {
  const messages: ConsumeMessage[] = [];
  const all = signal<void>();
  const { consumerTag } = await channel.consume(queue, (message) => {
    if (message === null) return;
    messages.push(message);
    channel.ack(message);
    if (messages.length === count) all.resolve();
  });
  await all.promise;
  await channel.cancel(consumerTag);
  return messages;
}

const steps: readonly Step[] = [
  [
    "a thousand confirmed messages come in order",
    async () => {
      const { channel, queue } = await withQueue();
      for (let index = 0; index < 1000; index += 1) channel.sendToQueue(queue, Buffer.from(String(index)));
      await channel.waitForConfirms();
      const messages = await collect(channel, queue, 1000);
      equal(messages.map(({ content }) => content.toString()).join(), Array.from({ length: 1000 }, (_, i) => i).join());
    },
  ],
  [
    "properties and headers arrive as they left",
    async () => {
      const { channel, queue } = await withQueue();
      const headers = {
        text: "x",
        number: 5,
        float: 1.5,
        yes: true,
        nothing: null,
        list: [1, "a"],
        table: { deep: 1 },
      };
      channel.sendToQueue(queue, Buffer.from("x"), {
        headers,
        contentType: "text/plain",
        persistent: true,
        priority: 3,
        correlationId: "c",
        messageId: "m",
        timestamp: 1_600_000_000,
        type: "t",
        appId: "a",
      });
      const [message] = await collect(channel, queue, 1);
      deepEqual({ ...message?.properties.headers }, headers);
      equal(message?.properties.timestamp, 1_600_000_000);
      equal(message?.properties.deliveryMode, 2);
    },
  ],
  [
    "a large body",
    async () => {
      const { channel, queue } = await withQueue();
      const body = Buffer.alloc(700_000, 7);
      channel.sendToQueue(queue, body);
      const [message] = await collect(channel, queue, 1);
      ok(message?.content.equals(body));
    },
  ],
  [
    "exchanges of each type route",
    async () => {
      const { channel, queue } = await withQueue();
      for (const [type, pattern, key] of [
        ["direct", "k", "k"],
        ["fanout", "", "any"],
        ["topic", "a.*", "a.b"],
        ["headers", "", ""],
      ] as const) {
        const exchange = `foreign.${type}`;
        await channel.assertExchange(exchange, type, { autoDelete: true, durable: false });
        await channel.bindQueue(queue, exchange, pattern, { "x-match": "any", h: 1 });
        channel.publish(exchange, key, Buffer.from(type), { headers: { h: 1 } });
        const [message] = await collect(channel, queue, 1);
        equal(message?.content.toString(), type);
        await channel.unbindQueue(queue, exchange, pattern, { "x-match": "any", h: 1 });
      }
    },
  ],
  [
    "an unroutable message comes back",
    async () => {
      const { channel } = await withQueue();
      const returned = signal<string>();
      channel.on("return", (message: { content: Buffer }) => returned.resolve(message.content.toString()));
      channel.publish("", "nobody", Buffer.from("back"), { mandatory: true });
      equal(await returned.promise, "back");
    },
  ],
  [
    "a failed channel tells why, and the connection goes on",
    async () => {
      const { channel } = await withQueue();
      await rejects(channel.checkQueue("foreign.missing"), /404/);
      const { queue } = await withQueue();
      ok(queue.startsWith("amq.gen-"));
    },
  ],
  [
    "prefetch holds, and a nack brings a message back",
    async () => {
      const { channel, queue } = await withQueue();
      for (const body of ["1", "2", "3"]) channel.sendToQueue(queue, Buffer.from(body));
      await channel.waitForConfirms();
      await channel.prefetch(1);
      const seen: string[] = [];
      const all = signal<void>();
      await channel.consume(queue, (message) => {
        if (message === null) return;
        seen.push(`${message.content.toString()}${message.fields.redelivered ? " again" : ""}`);
        if (seen.length === 1) channel.nack(message);
        else channel.ack(message);
        if (seen.length === 4) all.resolve();
      });
      await all.promise;
      deepEqual(seen, ["1", "1 again", "2", "3"]);
    },
  ],
  [
    "dead letters say what they died of",
    async () => {
      const grave = await withQueue();
      const { channel, queue } = await withQueue({ deadLetterExchange: "", deadLetterRoutingKey: grave.queue });
      channel.sendToQueue(queue, Buffer.from("bad"));
      await channel.waitForConfirms();
      const message = await channel.get(queue);
      ok(message);
      channel.reject(message, false);
      const [letter] = await collect(grave.channel, grave.queue, 1);
      const [death] = letter?.properties.headers?.["x-death"] ?? [];
      equal(death?.reason, "rejected");
      equal(death?.queue, queue);
    },
  ],
  [
    "a request has its reply without a queue",
    async () => {
      const server = await withQueue();
      await server.channel.consume(
        server.queue,
        (message) => {
          if (message === null) return;
          const { replyTo, correlationId } = message.properties;
          server.channel.sendToQueue(String(replyTo), Buffer.from("pong"), { correlationId: String(correlationId) });
        },
        { noAck: true },
      );
      const { channel } = await withQueue();
      const reply = signal<string>();
      await channel.consume("amq.rabbitmq.reply-to", (message) => reply.resolve(String(message?.content)), {
        noAck: true,
      });
      channel.sendToQueue(server.queue, Buffer.from("ping"), { replyTo: "amq.rabbitmq.reply-to", correlationId: "1" });
      equal(await reply.promise, "pong");
    },
  ],
  [
    "a consumer hears that its queue is gone",
    async () => {
      const { channel, queue } = await withQueue();
      const cancelled = signal<void>();
      await channel.consume(queue, (message) => {
        if (message === null) cancelled.resolve();
      });
      await channel.deleteQueue(queue);
      await cancelled.promise;
    },
  ],
  [
    "a full queue nacks",
    async () => {
      const { channel, queue } = await withQueue({ maxLength: 1, arguments: { "x-overflow": "reject-publish" } });
      const outcomes: boolean[] = [];
      const all = signal<void>();
      for (const body of ["1", "2"]) {
        channel.sendToQueue(queue, Buffer.from(body), {}, (error) => {
          outcomes.push(error === null);
          if (outcomes.length === 2) all.resolve();
        });
      }
      await all.promise;
      deepEqual(outcomes, [true, false]);
    },
  ],
  ["the connection closes in order", () => connection.close()],
];

await runSteps(steps);
