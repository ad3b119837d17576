/** A connection is lost and comes back: handles live on, and so does what was declared and consumed. */

import type { ConsumerDelivery } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { backoff, outage, recovering } from "./outages.ts";
import { bytes, text } from "./scene.ts";

export const recoveryCases: readonly ConformanceCase[] = [
  ...(["cut", "reset"] as const).map(
    (how): ConformanceCase => ({
      name: `channels, exchanges, queues, bindings and consumers come back after a ${how}`,
      needs: ["proxy"],
      async run(scene) {
        const all = await recovering(scene);
        const { connection, channel, onlooker } = all;
        const exchange = scene.name("exchange");
        await channel.exchangeDeclare({ exchange, type: "topic", autoDelete: true });
        const { queue } = await channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
        await channel.queueBind({ queue, exchange, routingKey: "a.*" });
        const got: (string | undefined)[] = [];
        const consumer = await channel.basicConsume({ queue, consumerTag: "mine" }, (d) => void got.push(text(d)));
        await outage(scene, all, how);
        same(channel.state, "open", "the channel's state");
        await onlooker.basicPublish({ exchange, routingKey: "a.b", body: bytes("after") });
        await scene.until(() => got.length === 1, "the message");
        same(got, ["after"], "the messages");
        same(consumer.state, "consuming", "the consumer's state");
        same(connection.recordedCount, 4, "the records");
      },
    }),
  ),
  {
    name: "a queue that the server named has a new name, and its bindings and consumers know",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const { connection, channel, onlooker } = all;
      const exchange = await scene.exchange(onlooker, "fanout");
      const renamed: string[] = [];
      connection.on("queue-renamed", ({ oldName, newName }) => renamed.push(oldName, newName));
      const { queue } = await channel.queueDeclare({ exclusive: true });
      await channel.queueBind({ queue: "", exchange });
      const consumer = await channel.basicConsume({ queue: "" });
      await outage(scene, all);
      same(renamed, [queue, consumer.queue], "the names");
      ok(consumer.queue !== queue, "another name");
      await onlooker.basicPublish({ exchange, routingKey: "", body: bytes("m") });
      same(text(await consumer.take({ timeout: 30_000 })), "m", "the message");
    },
  },
  {
    name: "publishes wait while the connection is down, and leave in order",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const publisher = await all.connection.openPublisher({ routingKey: queue });
      await all.proxy.break("cut");
      await scene.until(() => all.connection.state !== "open", "the loss");
      const bodies = Array.from({ length: 50 }, (_, index) => `m${index}`);
      await scene.soon(Promise.all(bodies.map((body) => publisher.publish(bytes(body)))), "the confirms");
      same(await scene.drain(all.onlooker, queue), bodies, "the messages");
    },
  },
  {
    name: "whenDown: fail lets nobody wait",
    needs: ["proxy"],
    async run(scene) {
      const { proxy, connection, channel } = await recovering(scene, { whenDown: "fail" });
      await proxy.break("cut");
      await scene.until(() => connection.state !== "open", "the loss");
      const expected = { code: "NOT_CONNECTED", outcome: "not-sent" };
      await fails(channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("x") }), expected, "a publish");
      await fails(channel.queueDeclare(), expected, "a call");
      await scene.soon(connection.ready(), "recovery");
      ok((await channel.queueDeclare({ exclusive: true })).queue !== "", "a queue");
    },
  },
  {
    name: "with republish nothing that was published is lost, whenever the connection breaks",
    needs: ["proxy"],
    timeout: 60_000,
    async run(scene) {
      const all = await recovering(scene, { republish: true, republishLimit: 20 });
      const { proxy, connection, onlooker } = all;
      const queue = await scene.durableQueue(onlooker);
      const publisher = await connection.openPublisher({ routingKey: queue });
      const sent: string[] = [];
      const promises: Promise<void>[] = [];
      for (let round = 0; round < 5; round += 1) {
        for (let index = 0; index < 100; index += 1) {
          sent.push(`${round}.${index}`);
          promises.push(publisher.publish(bytes(sent.at(-1) as string)));
        }
        await proxy.break(round % 2 === 0 ? "cut" : "reset");
        await scene.until(() => connection.state !== "open", "the loss");
        await scene.soon(connection.ready(), "recovery");
      }
      await scene.soon(Promise.all(promises), "the confirms");
      const arrived = new Set(await scene.drain(onlooker, queue));
      same([...arrived].sort(), [...sent].sort(), "the messages");
    },
  },
  {
    name: "what was delivered before the loss is stale, and comes again",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const { connection, channel, onlooker } = all;
      const queue = await scene.durableQueue(onlooker);
      await scene.fill(queue, "a", "b");
      const got: ConsumerDelivery[] = [];
      await channel.basicConsume({ queue, prefetch: 10 }, async (delivery) => {
        got.push(delivery);
        // It does not settle before the loss.
        if (!delivery.redelivered) await new Promise(() => {});
      });
      await scene.until(() => got.length === 2, "the messages");
      await outage(scene, all);
      for (const delivery of got.slice(0, 2)) same(delivery.ack(), "stale", "a late ack");
      same(channel.basicAck({ deliveryTag: 1, multiple: true }), "stale", "a late ack by number");
      await scene.until(() => got.length === 4, "the messages again");
      same(
        got.slice(2).map((delivery) => delivery.redelivered),
        [true, true],
        "what is said of them",
      );
      await scene.until(async () => (await scene.messageCount(onlooker, queue)) === 0, "everything to be settled");
      same([connection.state, channel.state], ["open", "open"], "the states");
    },
  },
  {
    name: "an exclusive queue that a half-open connection holds is waited for",
    needs: ["proxy"],
    timeout: 60_000,
    async run(scene) {
      const all = await recovering(scene, {}, { heartbeat: 1 });
      const { connection, channel } = all;
      const { queue } = await channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
      const consumer = await channel.basicConsume({ queue }, () => {});
      const recovered = new Promise((resolve) => connection.on("recovered", resolve));
      await all.proxy.break("silence");
      like(await scene.soon(recovered, "recovery", 30_000), { failures: [] }, "the recovery");
      same(consumer.state, "consuming", "the consumer's state");
    },
  },
  {
    name: "what the server refuses is told, and nothing else suffers",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const { proxy, connection, channel, onlooker } = all;
      const gone = await scene.durableQueue(onlooker);
      const stays = await scene.durableQueue(onlooker);
      const lost = await channel.basicConsume({ queue: gone });
      const kept = await channel.basicConsume({ queue: stays }, () => {});
      const end = fails(lost.take(), { code: "CONSUMER_NOT_RECOVERED" }, "the iterator");
      connection.on("disconnected", () => onlooker.queueDelete({ queue: gone }));
      const recovered = new Promise((resolve) => connection.on("recovered", resolve));
      await proxy.break("cut");
      like(await scene.soon(recovered, "recovery"), { failures: [{ action: "skip" }] }, "the recovery");
      await scene.soon(end, "the consumer's end");
      same([lost.state, kept.state, channel.state], ["ended", "consuming", "open"], "the states");
    },
  },
  {
    name: "a publisher survives what closes its channel",
    async run(scene) {
      const connection = await scene.connect({ recovery: { backoff } });
      const { channel: onlooker } = await scene.open();
      const queue = await scene.durableQueue(onlooker);
      const publisher = await connection.openPublisher({ routingKey: queue });
      const missing = publisher.publish(bytes("x"), { exchange: scene.name("missing") });
      await fails(missing, { code: "CHANNEL_CLOSED_BY_SERVER", replyCode: 404 }, "the guilty publish");
      await scene.soon(publisher.publish(bytes("next")), "the next publish");
      same(await scene.drain(onlooker, queue), ["next"], "the messages");
    },
  },
  {
    name: "the server's close of the connection is recovered from",
    needs: ["operate"],
    async run(scene) {
      const { connection, channel } = await scene.open({ recovery: { backoff } });
      const { queue } = await channel.queueDeclare({ exclusive: true });
      const recovered = new Promise((resolve) => connection.on("recovered", resolve));
      await scene.host.closeConnections("maintenance");
      await scene.soon(recovered, "recovery");
      ok((await channel.queueDeclare({ queue: "", exclusive: true })).queue !== queue, "a queue");
    },
  },
  {
    name: "refused credentials end it, after three rounds",
    needs: ["users"],
    async run(scene) {
      const username = scene.name("user");
      await scene.host.addUser(username, "secret");
      const proxy = await scene.proxy();
      const credentials = { username, password: "secret" };
      const connection = await scene.connect({ ...proxy.address, credentials, recovery: { backoff } });
      await scene.host.deleteUser(username);
      await proxy.break("cut");
      like(await scene.soon(connection.closed, "the end", 20_000), { code: "CONNECT_FAILED" }, "the reason");
    },
  },
  {
    name: "close() ends it while the connection is down",
    needs: ["proxy"],
    async run(scene) {
      const { proxy, connection, channel } = await recovering(scene, { backoff: { base: 60_000, max: 60_000 } });
      await proxy.break("cut");
      await scene.until(() => connection.state === "connecting", "the loss");
      const waiting = fails(channel.queueDeclare(), { code: "CONNECTION_CLOSED", outcome: "not-sent" }, "a call");
      await scene.soon(connection.close(), "closing");
      await scene.soon(waiting, "the call");
      same([connection.state, channel.state], ["closed", "closed"], "the states");
    },
  },
];
