/** rabbitmq-client (https://www.npmjs.com/package/rabbitmq-client) on the embedded broker. */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { Connection } from "rabbitmq-client";
import { brokerUrl, runSteps, signal, type Step } from "./program.ts";

const rabbit = new Connection(brokerUrl());
rabbit.on("error", () => {});

const steps: readonly Step[] = [
  ["it connects", () => rabbit.onConnect()],
  [
    "a publisher's confirmed messages reach a consumer",
    async () => {
      const seen: number[] = [];
      const all = signal<void>();
      const consumer = rabbit.createConsumer(
        {
          queue: "foreign.rc",
          queueOptions: { queue: "foreign.rc", exclusive: true },
          qos: { prefetchCount: 10 },
          concurrency: 1,
        },
        async (message) => {
          seen.push(message.body as number);
          if (seen.length === 200) all.resolve();
        },
      );
      await new Promise<void>((resolve) => consumer.on("ready", resolve));
      const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 2 });
      await Promise.all(Array.from({ length: 200 }, (_, index) => publisher.send("foreign.rc", index)));
      await all.promise;
      deepEqual(
        [...seen].sort((left, right) => left - right),
        Array.from({ length: 200 }, (_, index) => index),
      );
      await publisher.close();
      await consumer.close();
    },
  ],
  [
    "a message that fails comes again, then goes to the dead letters",
    async () => {
      const channel = await rabbit.acquire();
      await channel.queueDeclare({ queue: "foreign.rc.dead", exclusive: true });
      await channel.queueDeclare({
        queue: "foreign.rc.bad",
        exclusive: true,
        arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "foreign.rc.dead" },
      });
      const attempts: boolean[] = [];
      const consumer = rabbit.createConsumer(
        { queue: "foreign.rc.bad", queueOptions: { queue: "foreign.rc.bad", passive: true }, requeue: false },
        async (message) => {
          attempts.push(message.redelivered);
          // 1: requeue. The error below drops it.
          if (attempts.length === 1) return 1;
          throw new Error("bad");
        },
      );
      consumer.on("error", () => {});
      await channel.basicPublish({ routingKey: "foreign.rc.bad" }, "x");
      let letter: { headers?: Record<string, unknown> } | undefined;
      while (letter === undefined) letter = await channel.basicGet({ queue: "foreign.rc.dead", noAck: true });
      deepEqual(attempts, [false, true]);
      const [death] = (letter.headers?.["x-death"] ?? []) as { reason: string }[];
      equal(death?.reason, "rejected");
      await consumer.close();
      await channel.close();
    },
  ],
  [
    "requests are answered",
    async () => {
      const server = rabbit.createConsumer(
        { queue: "foreign.rc.rpc", queueOptions: { queue: "foreign.rc.rpc", exclusive: true } },
        async (message, reply) => {
          await reply(`re: ${String(message.body)}`);
        },
      );
      await new Promise<void>((resolve) => server.on("ready", resolve));
      const client = rabbit.createRPCClient({ confirm: true });
      const answers = await Promise.all(["a", "b", "c"].map((body) => client.send("foreign.rc.rpc", body)));
      deepEqual(
        answers.map(({ body }) => String(body)),
        ["re: a", "re: b", "re: c"],
      );
      await client.close();
      await server.close();
    },
  ],
  [
    "an unroutable message comes back",
    async () => {
      const returned = signal<string>();
      const publisher = rabbit.createPublisher({ confirm: true });
      publisher.on("basic.return", (message) => returned.resolve(String(message.body)));
      await publisher.send({ routingKey: "foreign.nobody", mandatory: true }, "back");
      equal(await returned.promise, "back");
      await publisher.close();
    },
  ],
  [
    "a channel that fails tells why",
    async () => {
      const channel = await rabbit.acquire();
      await rejects(channel.queueDeclare({ queue: "foreign.missing", passive: true }), /NOT_FOUND/);
    },
  ],
  [
    "a transaction is all or nothing",
    async () => {
      const channel = await rabbit.acquire();
      await channel.queueDeclare({ queue: "foreign.rc.tx", exclusive: true });
      await channel.txSelect();
      await channel.basicPublish("foreign.rc.tx", "dropped");
      await channel.txRollback();
      await channel.basicPublish("foreign.rc.tx", "kept");
      await channel.txCommit();
      const { messageCount } = await channel.queueDeclare({ queue: "foreign.rc.tx", passive: true });
      equal(messageCount, 1);
      await channel.close();
    },
  ],
  [
    "a stream is read again from its start",
    async () => {
      const channel = await rabbit.acquire();
      const queue = "foreign.rc.stream";
      await channel.queueDeclare({ queue, durable: true, arguments: { "x-queue-type": "stream" } });
      await channel.confirmSelect();
      for (const body of ["0", "1", "2"]) await channel.basicPublish(queue, body);
      await channel.basicQos({ prefetchCount: 10 });
      const offsets: unknown[] = [];
      const all = signal<void>();
      await channel.basicConsume({ queue, arguments: { "x-stream-offset": "first" } }, (message) => {
        offsets.push(message.headers?.["x-stream-offset"]);
        channel.basicAck({ deliveryTag: message.deliveryTag });
        if (offsets.length === 3) all.resolve();
      });
      await all.promise;
      deepEqual(offsets.map(Number), [0, 1, 2]);
      await channel.queueDelete({ queue });
      await channel.close();
    },
  ],
  [
    "the connection closes in order",
    async () => {
      await rabbit.close();
      ok(!rabbit.ready);
    },
  ],
];

await runSteps(steps);
