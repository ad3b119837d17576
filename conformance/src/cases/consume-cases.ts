/** Consumers with a handler. */

import type { ConsumerDelivery } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const consumeCases: readonly ConformanceCase[] = [
  {
    name: "get every message once, in order, and acknowledge it by returning",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const expected = Array.from({ length: 1000 }, (_, i) => `${i}`);
      await scene.fill(queue, ...expected);
      const got: (string | undefined)[] = [];
      const consumer = await channel.basicConsume({ queue }, (delivery) => {
        got.push(text(delivery));
      });
      await scene.until(() => got.length === 1000, "all to be delivered");
      same(got, expected, "what was delivered");
      await consumer.close();
      const { framesSent = 0 } = connection.counters ?? {};
      same(await scene.left({ connection, channel }, queue), [], "what is left");
      ok(framesSent > 0 && framesSent < 500, "acknowledgements left together");
    },
  },
  {
    name: "get large bodies whole, to keep them or to be lent them",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const publisher = await connection.openPublisher();
      const sizes = [1_048_576, 0, 131_064, 300_000, 5, 262_128, 262_129, 1_500_000, 70_000, 1_048_576];
      const bodyOf = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at * 7 + (at >> 8));
      for (const lendBody of [false, true]) {
        const queue = await scene.queue(channel);
        const kept: Uint8Array[] = [];
        const consumer = await channel.basicConsume({ queue, lendBody }, ({ body }) => {
          kept.push(lendBody ? body.slice() : body);
        });
        for (const size of sizes) await publisher.publish(bodyOf(size), { exchange: "", routingKey: queue });
        await scene.until(() => kept.length === sizes.length, "all to be delivered");
        for (const [index, body] of kept.entries()) {
          const expected = bodyOf(sizes[index] ?? -1);
          same(body.length, expected.length, "the size of a body");
          same(
            body.findIndex((octet, at) => octet !== expected[at]),
            -1,
            "the first octet that is another",
          );
        }
        await consumer.close();
      }
    },
  },
  {
    name: "acknowledge when the handler's promise is fulfilled, whatever the order",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ...Array.from({ length: 50 }, (_, i) => `${i}`));
      let done = 0;
      const consumer = await channel.basicConsume({ queue, prefetch: 20 }, async (delivery) => {
        // The later a message comes, the sooner it is done.
        await new Promise<void>((resolve) => scene.io.setTimer(20 - (delivery.deliveryTag % 20), resolve));
        done += 1;
      });
      await scene.until(() => done === 50, "all to be done");
      same(await consumer.close(), { requeued: 0, unfinished: 0 }, "the end");
      same(await scene.left({ connection, channel }, queue), [], "what is left");
    },
  },
  {
    name: "send a message back by throwing, and get it again",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const reports: unknown[] = [];
      connection.on("callback-error", ({ error }) => reports.push(error));
      const seen: string[] = [];
      await channel.basicConsume({ queue }, async (delivery) => {
        seen.push(`${text(delivery)} ${delivery.redelivered}`);
        if (!delivery.redelivered) throw new Error("the first time");
      });
      await scene.fill(queue, "a");
      await scene.until(() => seen.length === 2, "the message to come again");
      same(seen, ["a false", "a true"], "what was seen");
      like(reports, [{ message: "the first time" }], "what was reported");
    },
  },
  {
    name: "give up a message that fails by their policy, to the dead-letter exchange",
    async run(scene) {
      const { channel } = await scene.open();
      const dead = await scene.queue(channel);
      const letters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
      const queue = await scene.queue(channel, { arguments: letters });
      let attempts = 0;
      const requeue = (_: unknown, delivery: ConsumerDelivery): boolean => !delivery.redelivered;
      await channel.basicConsume({ queue, requeue }, () => {
        attempts += 1;
        throw new Error("poison");
      });
      await scene.fill(queue, "poison");
      await scene.until(async () => (await scene.messageCount(channel, dead)) === 1, "the message to be given up");
      same(attempts, 2, "the attempts");
    },
  },
  {
    name: "get no more messages than their prefetch before they settle",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ..."abcdef");
      const held: ConsumerDelivery[] = [];
      await channel.basicConsume({ queue, prefetch: 2, settle: "manual" }, (delivery) => void held.push(delivery));
      await scene.until(() => held.length === 2, "two to come");
      same(await scene.messageCount(channel, queue), 4, "what waits at the server");
      held[0]?.ack();
      await scene.until(() => held.length === 3, "the third to come");
      same(await scene.messageCount(channel, queue), 3, "what waits at the server then");
    },
  },
  {
    name: "run so many handlers at a time",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ..."abcdefgh");
      let running = 0;
      let most = 0;
      let done = 0;
      await channel.basicConsume({ queue, prefetch: 8, concurrency: 3 }, async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => scene.io.setTimer(5, resolve));
        running -= 1;
        done += 1;
      });
      await scene.until(() => done === 8, "all to be done");
      same(most, 3, "the most at a time");
    },
  },
  {
    name: "of one channel get their own messages",
    async run(scene) {
      const { channel } = await scene.open();
      const [one, two] = [await scene.queue(channel), await scene.queue(channel)];
      const got: string[] = [];
      await channel.basicConsume({ queue: one, consumerTag: "one" }, (delivery) => {
        got.push(`${delivery.consumerTag} ${text(delivery)}`);
      });
      await channel.basicConsume({ queue: two, consumerTag: "two" }, (delivery) => {
        got.push(`${delivery.consumerTag} ${text(delivery)}`);
      });
      same(channel.consumerTags, ["one", "two"], "the tags");
      await scene.fill(one, "1");
      await scene.fill(two, "2");
      await scene.until(() => got.length === 2, "both to come");
      same(got, ["one 1", "two 2"], "who got what");
    },
  },
  {
    name: "with a tag that is in use are refused before the server would close the connection",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue, consumerTag: "mine" }, () => {});
      await fails(
        channel.basicConsume({ queue, consumerTag: "mine" }, () => {}),
        { name: "UsageError", code: "INVALID_ARGUMENT" },
        "the second",
      );
      await consumer.cancel();
      const again = await channel.basicConsume({ queue, consumerTag: "mine" }, () => {});
      same(again.consumerTag, "mine", "the tag when it is free");
    },
  },
  {
    name: "of a queue that does not exist, or that somebody has for himself, are refused",
    async run(scene) {
      const { connection, channel } = await scene.open();
      await fails(
        channel.basicConsume({ queue: scene.name("none") }, () => {}),
        { replyCode: 404, method: "basic.consume", outcome: "refused" },
        "a missing queue",
      );
      const other = await connection.openChannel();
      const queue = await scene.queue(other);
      await other.basicConsume({ queue, exclusive: true }, () => {});
      await fails(
        other.basicConsume({ queue }, () => {}),
        { replyCode: 403 },
        "a queue with an exclusive consumer",
      );
    },
  },
  {
    name: "publish, declare and get from their handler",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const answers = await scene.queue(channel);
      await channel.confirmSelect();
      await channel.basicConsume({ queue }, async (delivery) => {
        await channel.queueDeclare({ queue: answers, passive: true });
        await channel.basicPublish({ exchange: "", routingKey: answers, body: delivery.body });
      });
      await scene.fill(queue, "echo");
      await scene.until(async () => (await scene.messageCount(channel, answers)) === 1, "the answer");
      same(text(await channel.basicGet({ queue: answers })), "echo", "the answer");
    },
  },
  {
    name: "are cancelled, and what nobody has taken goes back, counted",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ..."abcde");
      let release = (): void => {};
      const running = new Promise<void>((resolve) => (release = resolve));
      const got: (string | undefined)[] = [];
      const consumer = await channel.basicConsume({ queue, prefetch: 5, concurrency: 1 }, (delivery) => {
        got.push(text(delivery));
        return running;
      });
      await scene.until(() => consumer.buffered === 4, "four to wait");
      same(await consumer.cancel(), 4, "how many went back");
      same(await consumer.ended, { type: "cancelled" }, "the end");
      same(got, ["a"], "what was handed out");
      release();
      await consumer.close();
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 4, "four to be back");
      same(await scene.drain(channel, queue), ["b", "c", "d", "e"], "what is in the queue");
    },
  },
  {
    name: "cancel themselves in their handler",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ..."abc");
      const got: (string | undefined)[] = [];
      let cancelled: Promise<number> | undefined;
      await channel.basicConsume({ queue, consumerTag: "self", concurrency: 1 }, async (delivery) => {
        got.push(text(delivery));
        cancelled ??= channel.basicCancel({ consumerTag: "self" });
        await cancelled;
      });
      await scene.until(() => cancelled !== undefined, "the cancellation");
      await scene.soon(cancelled as Promise<number>, "its end");
      same(got, ["a"], "what was handed out");
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 2, "the others to be back");
    },
  },
  {
    name: "of two cancelled at once each get their own answer",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumers = await Promise.all(
        ["a", "b"].map((consumerTag) => channel.basicConsume({ queue, consumerTag }, () => {})),
      );
      same(await Promise.all(consumers.map((consumer) => consumer.cancel())), [0, 0], "the counts");
      same(channel.consumerTags, [], "the tags");
    },
  },
  {
    name: "are told when the server cancels them, and may settle what they have",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a");
      const held: ConsumerDelivery[] = [];
      const heard: string[] = [];
      channel.on("cancel", ({ consumerTag }) => heard.push(consumerTag));
      const consumer = await channel.basicConsume({ queue, settle: "manual" }, (delivery) => void held.push(delivery));
      await scene.until(() => held.length === 1, "the message");
      await (await connection.openChannel()).queueDelete({ queue });
      same(await scene.soon(consumer.ended, "the end"), { type: "cancelled-by-server" }, "the end");
      same(heard, [consumer.consumerTag], "what the listener heard");
      held[0]?.ack();
      same(await consumer.cancel(), 0, "cancelling afterwards");
      await scene.queue(channel);
    },
  },
  {
    name: "wait for what runs when they are closed, and close the channel that is their own",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a", "b");
      let done = 0;
      const consumer = await connection.openConsumer({ queue }, async () => {
        await new Promise<void>((resolve) => scene.io.setTimer(30, resolve));
        done += 1;
      });
      await scene.until(() => consumer.running === 2, "both to run");
      same(await consumer.close(), { requeued: 0, unfinished: 0 }, "the end");
      same(done, 2, "what was done");
      same(connection.channelCount, 1, "channels");
      same(await scene.left({ connection, channel }, queue), [], "what is left");
    },
  },
  {
    name: "close only so late, and what was not settled goes back with the channel",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a");
      const consumer = await connection.openConsumer({ queue }, () => new Promise(() => {}));
      await scene.until(() => consumer.running === 1, "it to run");
      same(await consumer.close({ drain: 50 }), { requeued: 0, unfinished: 1 }, "the end");
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 1, "the message to be back");
    },
  },
  {
    name: "close the channel, or the connection, from their handler",
    async run(scene) {
      for (const what of ["channel", "connection"] as const) {
        const opened = await scene.open();
        const queue = await scene.durableQueue(opened.channel);
        await scene.fill(queue, "a", "b");
        const closed = new Promise<void>((resolve, reject) => {
          const closing = opened.channel.basicConsume({ queue, prefetch: 1, settle: "manual" }, () => {
            opened[what].close().then(resolve, reject);
          });
          closing.catch(reject);
        });
        await scene.soon(closed, `the ${what} to be closed`);
        const other = await scene.open();
        await scene.until(async () => (await scene.messageCount(other.channel, queue)) === 2, "both to be back");
      }
    },
  },
  {
    name: "with noAck get what they get, and nothing goes back",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, ..."abc");
      const got: (string | undefined)[] = [];
      const consumer = await channel.basicConsume({ queue, noAck: true }, (delivery) => void got.push(text(delivery)));
      await scene.until(() => got.length === 3, "all to come");
      same(await consumer.cancel(), 0, "how many went back");
      same(await scene.left({ connection, channel }, queue), [], "what is left");
    },
  },
  {
    name: "pause, and go on; without acknowledgements the server is made to wait",
    timeout: 60_000,
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      let got = 0;
      const consumer = await channel.basicConsume({ queue, noAck: true }, () => void (got += 1));
      consumer.pause();
      const { connection: other } = await scene.open();
      const publisher = await other.openPublisher({ routingKey: queue, maxUnconfirmed: 10_000 });
      const body = new Uint8Array(10_000);
      const count = 4000;
      for (let i = 0; i < count; i += 1) if (!publisher.send(body)) await publisher.ready();
      await scene.soon(publisher.flush(), "all to be published", 30_000);
      await scene.until(() => consumer.buffered > 0, "messages to come");
      ok(consumer.buffered < count, `not all of them are here: ${consumer.buffered}`);
      // An answer comes through all the same.
      await scene.soon(channel.queueDeclare({ queue, passive: true }), "an answer");
      same(got, 0, "what was handed out");
      consumer.resume();
      await scene.until(() => got === count, "all to be handed out", 30_000);
    },
  },
  {
    name: "start without waiting for the server's answer",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const got: (string | undefined)[] = [];
      const consumer = await channel.basicConsume({ queue, noWait: true }, (delivery) => void got.push(text(delivery)));
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("a") });
      await scene.until(() => got.length === 1, "the message");
      same(await channel.basicCancel({ consumerTag: consumer.consumerTag, noWait: true }), 0, "cancelling so, too");
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("b") });
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 1, "the next one to stay");
      same(got, ["a"], "what was handed out");
    },
  },
];
