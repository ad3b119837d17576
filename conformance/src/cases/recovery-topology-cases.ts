/** What is declared again after a loss, and what is not. Most of it is what the tests of other clients ask for. */

import { ChannelError } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { comeBack, goDown, outage, recovering, recovery } from "./outages.ts";
import { bytes, text } from "./scene.ts";

const needs = ["proxy"] as const;

export const recoveryTopologyCases: readonly ConformanceCase[] = [
  {
    name: "what was declared without waiting for an answer comes back, too",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const [exchange, queue] = [scene.name("exchange"), scene.name("queue")];
      await all.channel.exchangeDeclare({ exchange, type: "fanout", durable: false, autoDelete: true, noWait: true });
      await all.channel.queueDeclare({ queue, exclusive: true, noWait: true });
      await all.channel.queueBind({ queue, exchange, noWait: true });
      const got: unknown[] = [];
      await all.channel.basicConsume({ queue, noWait: true }, (delivery) => void got.push(text(delivery)));
      await all.channel.queueDeclare({ queue, passive: true });
      await outage(scene, all);
      await all.onlooker.basicPublish({ exchange, routingKey: "", body: bytes("m") });
      await scene.until(() => got.length === 1, "the message");
      same(got, ["m"], "the messages");
    },
  },
  {
    name: "exchanges bound to exchanges come back, internal ones and those with a queue's name among them",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const [source, middle] = [scene.name("source"), scene.name("middle")];
      const transient = { durable: false, autoDelete: true } as const;
      await all.channel.exchangeDeclare({ exchange: source, type: "direct", ...transient });
      await all.channel.exchangeDeclare({ exchange: middle, type: "fanout", internal: true, ...transient });
      await all.channel.exchangeBind({ source, destination: middle, routingKey: "k" });
      // A queue and an exchange of the same name, both of them destinations.
      await all.channel.queueDeclare({ queue: middle, exclusive: true });
      await all.channel.queueBind({ queue: middle, exchange: middle });
      same(all.connection.recordedCount, 5, "the records");
      await outage(scene, all);
      await all.onlooker.basicPublish({ exchange: source, routingKey: "k", body: bytes("m") });
      const got = async (): Promise<boolean> => text(await all.channel.basicGet({ queue: middle })) === "m";
      await scene.until(got, "the message");
    },
  },
  {
    name: "arguments of queues, bindings and consumers are as they were",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const [exchange, queue] = [scene.name("exchange"), scene.name("queue")];
      const dead = await scene.durableQueue(all.onlooker);
      await all.channel.exchangeDeclare({ exchange, type: "headers", durable: false, autoDelete: true });
      await all.channel.queueDeclare({
        queue,
        exclusive: true,
        arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-max-length": 1 },
      });
      await all.channel.queueBind({ queue, exchange, arguments: { "x-match": "all", kind: "hare", legs: 4 } });
      await outage(scene, all);
      const publish = (kind: string): Promise<void> =>
        all.onlooker.basicPublish({
          exchange,
          routingKey: "",
          body: bytes(kind),
          properties: { headers: { kind, legs: 4 } },
        });
      for (const kind of ["hare", "heron", "hare"]) await publish(kind);
      await scene.until(async () => (await scene.messageCount(all.onlooker, dead)) === 1, "the dead letter");
      same(await scene.messageCount(all.channel, queue), 1, "messages");
    },
  },
  {
    name: "what was deleted, unbound or cancelled does not come back",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { channel, onlooker } = all;
      const [exchange, queue, bound] = [scene.name("exchange"), scene.name("queue"), scene.name("queue")];
      await channel.exchangeDeclare({ exchange, type: "fanout" });
      await channel.queueDeclare({ queue, durable: true });
      await channel.queueDeclare({ queue: bound, exclusive: true });
      await channel.queueBind({ queue: bound, exchange });
      await channel.queueBind({ queue: bound, exchange: "amq.fanout" });
      const consumer = await channel.basicConsume({ queue: bound }, () => {});
      await consumer.cancel();
      await channel.queueUnbind({ queue: bound, exchange: "amq.fanout" });
      await channel.queueDelete({ queue });
      await channel.exchangeDelete({ exchange });
      same(all.connection.recordedCount, 1, "the records");
      await outage(scene, all);
      const { channel: asking } = await scene.open();
      await fails(asking.exchangeDeclare({ exchange, type: "", passive: true }), { replyCode: 404 }, "the exchange");
      const { channel: askingAgain } = await scene.open();
      await fails(askingAgain.queueDeclare({ queue, passive: true }), { replyCode: 404 }, "the queue");
      await onlooker.confirmSelect();
      await onlooker.basicPublish({ exchange: "amq.fanout", routingKey: "", body: bytes("m") });
      const { messageCount, consumerCount } = await channel.queueDeclare({ queue: bound, passive: true });
      same([messageCount, consumerCount], [0, 0], "messages and consumers");
    },
  },
  {
    name: "records of what the server deletes by itself do not pile up",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { channel, connection } = all;
      for (let round = 0; round < 20; round += 1) {
        const [exchange, source] = [scene.name("exchange"), scene.name("exchange")];
        await channel.exchangeDeclare({ exchange: source, type: "fanout", autoDelete: true });
        await channel.exchangeDeclare({ exchange, type: "fanout", autoDelete: true });
        await channel.exchangeBind({ source, destination: exchange });
        const { queue } = await channel.queueDeclare({ durable: false, autoDelete: true, exclusive: true });
        await channel.queueBind({ queue, exchange });
        const consumer = await channel.basicConsume({ queue }, () => {});
        // The consumer was the queue's last one, the queue the exchange's, and that exchange the other one's.
        await consumer.cancel();
      }
      same(connection.recordedCount, 0, "the records");
      await outage(scene, all);
      same(connection.recordedCount, 0, "the records");
    },
  },
  {
    name: "what one channel declared is brought back when that channel is closed, and consumed on another one",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const declaring = await all.connection.openChannel();
      const queue = scene.name("queue");
      await declaring.queueDeclare({ queue, exclusive: true });
      await all.channel.queueBind({ queue, exchange: "amq.topic", routingKey: queue });
      await declaring.close();
      const consumer = await all.channel.basicConsume({ queue });
      await outage(scene, all);
      await all.onlooker.basicPublish({ exchange: "amq.topic", routingKey: queue, body: bytes("m") });
      same(text(await consumer.take({ timeout: 30_000 })), "m", "the message");
    },
  },
  {
    name: "many queues and many consumers come back, with equal tags on two channels",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const second = await all.connection.openChannel();
      const got: string[] = [];
      const queues: string[] = [];
      for (const channel of [all.channel, second]) {
        await Promise.all(
          Array.from({ length: 50 }, async (_, index) => {
            const { queue } = await channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
            queues.push(queue);
            await channel.basicConsume({ queue, consumerTag: `tag${index}` }, ({ consumerTag }) => {
              got.push(`${channel.number} ${consumerTag}`);
            });
          }),
        );
      }
      await outage(scene, all);
      same([all.channel.consumerTags.length, second.consumerTags.length], [50, 50], "the consumers");
      for (const queue of queues) await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("m") });
      await scene.until(() => got.length >= 100, "a message for each");
      same(new Set(got).size, 100, "the consumers that had one");
    },
  },
  {
    name: "each consumer has the prefetch that it was started with, and new ones the channel's",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queues = [await scene.durableQueue(all.onlooker), await scene.durableQueue(all.onlooker)] as const;
      const four = await all.channel.basicConsume({ queue: queues[0], prefetch: 4 });
      const one = await all.channel.basicConsume({ queue: queues[1], prefetch: 1 });
      await outage(scene, all);
      for (const queue of queues) await scene.fill(queue, "a", "b", "c", "d", "e", "f");
      await scene.until(() => four.buffered === 4 && one.buffered === 1, "as many as each may have");
      same(
        [await scene.messageCount(all.onlooker, queues[0]), await scene.messageCount(all.onlooker, queues[1])],
        [2, 5],
        "what is left",
      );
    },
  },
  {
    name: "channels keep their numbers, their confirms and their listeners; new ones get others",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const seventh = await all.connection.openChannel({ number: 7 });
      await seventh.confirmSelect();
      const returned: string[] = [];
      seventh.on("return", ({ routingKey }) => returned.push(routingKey));
      await goDown(scene, all);
      const next = all.connection.openChannel();
      await comeBack(scene, all);
      same([all.channel.number, seventh.number, (await next).number], [1, 7, 2], "the numbers");
      same(seventh.mode, "confirm", "the mode");
      const routingKey = scene.name("missing");
      await fails(
        seventh.basicPublish({ exchange: "", routingKey, body: bytes("m"), mandatory: true }),
        { code: "UNROUTABLE" },
        "a publish",
      );
      same(returned, [routingKey], "what the listener heard");
    },
  },
  {
    name: "a durable queue that was deleted meanwhile is declared again, with all its bindings",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = scene.name("queue");
      await all.channel.queueDeclare({ queue, durable: true });
      scene.after(() => all.onlooker.queueDelete({ queue }));
      for (const routingKey of ["a", "b"]) await all.channel.queueBind({ queue, exchange: "amq.direct", routingKey });
      const consumer = await all.channel.basicConsume({ queue });
      await goDown(scene, all);
      await all.onlooker.queueDelete({ queue });
      const recovered = recovery(all.connection);
      await comeBack(scene, all);
      like(await recovered, { failures: [] }, "the recovery");
      for (const routingKey of ["a", "b"]) {
        await all.onlooker.basicPublish({ exchange: "amq.direct", routingKey, body: bytes(routingKey) });
        same(text(await consumer.take({ timeout: 30_000 })), routingKey, "the message");
      }
    },
  },
  {
    name: "topology: none and transient, and a filter, leave out what they say; consumers come back",
    needs,
    async run(scene) {
      const modes = [
        { recovery: { topology: "none" }, expected: [false, false] },
        { recovery: { topology: "transient" }, expected: [false, true] },
        {
          recovery: { filter: { queue: ({ durable }: { readonly durable: boolean }) => durable } },
          expected: [true, false],
        },
      ] as const;
      for (const { recovery: options, expected } of modes) {
        const all = await recovering(scene, options);
        const [durable, transient] = [scene.name("queue"), scene.name("queue")];
        await all.channel.queueDeclare({ queue: durable, durable: true });
        await all.channel.queueDeclare({ queue: transient, exclusive: true });
        scene.after(() => all.onlooker.queueDelete({ queue: durable }));
        await goDown(scene, all);
        await all.onlooker.queueDelete({ queue: durable });
        await comeBack(scene, all);
        const ask = async (queue: string): Promise<number> => {
          const channel = await all.connection.openChannel();
          return channel.queueDeclare({ queue, passive: true }).then(
            () => 200,
            (error: unknown) => (error instanceof ChannelError ? error.replyCode : undefined) ?? 0,
          );
        };
        const exists = async (queue: string): Promise<boolean> => {
          let answer = 0;
          // The server may still hold it for the connection that was lost.
          await scene.until(async () => (answer = await ask(queue)) !== 405, "an answer about the queue");
          ok(answer === 200 || answer === 404, `it is there, or not: ${answer}`);
          return answer === 200;
        };
        same([await exists(durable), await exists(transient)], expected, "the queues");
        await all.connection.close();
      }
    },
  },
  {
    name: "a queue that is declared otherwise meanwhile is left out, unless onTopologyError sees to it",
    needs,
    async run(scene) {
      const failed: string[] = [];
      const all = await recovering(scene, {
        onTopologyError: ({ item, attempt }) => {
          failed.push(item.kind);
          return attempt < 3 ? "retry" : undefined;
        },
      });
      const queue = scene.name("queue");
      await all.channel.queueDeclare({ queue, durable: true });
      await goDown(scene, all);
      await all.onlooker.queueDelete({ queue });
      await all.onlooker.queueDeclare({ queue, durable: true, arguments: { "x-max-length": 5 } });
      scene.after(() => all.onlooker.queueDelete({ queue }));
      const recovered = recovery(all.connection);
      await all.proxy.inflict({});
      await scene.until(() => failed.length > 0, "the refusal");
      await all.onlooker.queueDelete({ queue });
      like(await scene.soon(recovered, "recovery"), { failures: [] }, "the recovery");
      same(new Set(failed), new Set(["queue"]), "what was asked about");
      same(await scene.messageCount(all.channel, queue), 0, "messages of the queue that is there again");
    },
  },
  {
    name: "a bad network that cuts after so many bytes, on a ladder of them, is outlasted",
    needs,
    async run(scene) {
      const all = await recovering(scene, { republish: true, republishLimit: 100, backoff: { base: 10, max: 50 } });
      const exchange = await scene.exchange(all.onlooker, "fanout");
      const queue = await scene.durableQueue(all.onlooker);
      await all.channel.queueBind({ queue, exchange });
      const got = new Set<string>();
      await all.connection.openConsumer({ queue }, (delivery) => void got.add(text(delivery) ?? ""));
      const publisher = await all.connection.openPublisher({ exchange });
      const publishes: Promise<void>[] = [];
      await all.proxy.break("cut");
      for (let rung = 1; rung <= 24; rung += 1) {
        const direction = rung % 2 === 0 ? "to-server" : "to-client";
        const { accepted } = await all.proxy.report();
        await all.proxy.inflict({ breakAfter: { direction, bytes: rung * 60, how: rung % 3 === 0 ? "cut" : "reset" } });
        await scene.until(async () => {
          if ((await all.proxy.report()).accepted > accepted) return true;
          // A connection that was there before the limit has the one of the rung below, and may have come through.
          publishes.push(publisher.publish(bytes(`m${publishes.length}`)));
          return false;
        }, "the next connection");
      }
      await comeBack(scene, all);
      await scene.soon(Promise.all(publishes), "the confirms");
      await scene.until(() => got.size === publishes.length, "the messages");
      same([all.connection.state, all.channel.state], ["open", "open"], "the states");
    },
  },
];
