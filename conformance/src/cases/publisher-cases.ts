/** Publishers. */

import { BatchError, FlushError, type GotMessage, publishBatch } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const publisherCases: readonly ConformanceCase[] = [
  {
    name: "publish with confirms, persistently, with their own defaults",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue, properties: { appId: "shop" } });
      await publisher.publish(bytes("a"));
      await publisher.publish(bytes("b"), { properties: { deliveryMode: 1, type: "order" } });
      same(
        (await channel.basicGet({ queue, noAck: true }))?.properties,
        { appId: "shop", deliveryMode: 2 },
        "the first",
      );
      like(
        (await channel.basicGet({ queue, noAck: true }))?.properties,
        { appId: "shop", deliveryMode: 1, type: "order" },
        "the second",
      );
      await publisher.close();
      same(publisher.state, "closed", "the state");
    },
  },
  {
    name: "send without a promise for each, say when to wait, and flush",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue, maxUnconfirmed: 100 });
      let waits = 0;
      for (let i = 0; i < 2000; i += 1) {
        if (publisher.send(bytes(`${i}`))) continue;
        waits += 1;
        await scene.soon(publisher.ready(), "room");
        ok(publisher.unconfirmed < 100, "there was room");
      }
      await scene.soon(publisher.flush(), "the flush");
      same(publisher.unconfirmed, 0, "unconfirmed");
      ok(waits >= 19, `it had to wait, ${waits} times`);
      const got = await scene.drain(channel, queue);
      same(
        got,
        Array.from({ length: 2000 }, (_, i) => `${i}`),
        "what arrived, in order",
      );
    },
  },
  {
    name: "keep within their window by count and by bytes, whoever waits",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue, maxUnconfirmedBytes: 10_000 });
      let most = 0;
      const body = new Uint8Array(1000);
      const publishes = Array.from({ length: 300 }, () => {
        const publish = publisher.publish(body);
        most = Math.max(most, publisher.unconfirmed);
        return publish;
      });
      await scene.soon(Promise.all(publishes), "all to be confirmed");
      same(most, 10, "the most in flight");
    },
  },
  {
    name: "tell what was not confirmed when they flush",
    async run(scene) {
      const { connection } = await scene.open();
      const publisher = await connection.openPublisher({ routingKey: scene.name("nowhere"), mandatory: true });
      const failed: string[] = [];
      publisher.on("failed", ({ error, message }) => failed.push(`${error.code} ${text(message)}`));
      for (let i = 0; i < 3; i += 1) publisher.send(bytes(`${i}`));
      const error = await fails(publisher.flush(), { code: "FLUSH_FAILED", failed: 3, outcome: "refused" }, "flushing");
      ok(error instanceof FlushError, "a FlushError");
      same(failed, ["UNROUTABLE 0", "UNROUTABLE 1", "UNROUTABLE 2"], "what the listener heard");
      await publisher.flush();
    },
  },
  {
    name: "publish a batch with one promise, in order, and never more at a time than their window",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const other = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue, maxUnconfirmed: 50 });
      const texts = Array.from({ length: 3000 }, (_, i) => `${i}`);
      const batch = [
        ...texts.map(bytes),
        { body: bytes("special"), routingKey: other, properties: { type: "special" } },
      ];
      await scene.soon(publishBatch(publisher, batch), "the batch");
      same(publisher.unconfirmed, 0, "unconfirmed");
      same(await scene.drain(channel, queue), texts, "what arrived, in order");
      const special = await channel.basicGet({ queue: other, noAck: true });
      like(special?.properties, { type: "special", deliveryMode: 2 }, "the properties of the special one");
      await publishBatch(publisher, []);
    },
  },
  {
    name: "tell which messages of a batch were not confirmed, and why; the others are",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const full = await scene.queue(channel, { arguments: { "x-max-length": 0, "x-overflow": "reject-publish" } });
      const publisher = await connection.openPublisher({ routingKey: queue, mandatory: true });
      const batch = [
        bytes("a"),
        { body: bytes("b"), routingKey: scene.name("nowhere") },
        { body: bytes("c"), properties: { priority: 300 } },
        { body: bytes("d"), routingKey: full },
        bytes("e"),
      ];
      const expected = { name: "BatchError", code: "BATCH_FAILED", outcome: "refused", retryable: false };
      const error = await fails(publishBatch(publisher, batch), expected, "the batch");
      ok(error instanceof BatchError, "a BatchError");
      same(
        error.failures.map(({ index, error: { code } }) => `${index} ${code}`),
        ["1 UNROUTABLE", "2 INVALID_ARGUMENT", "3 NACKED"],
        "what failed",
      );
      same(await scene.drain(channel, queue), ["a", "e"], "what arrived");
      const refused = { name: "UsageError", code: "INVALID_ARGUMENT" };
      await fails(publishBatch(publisher, [bytes("f"), "g" as never]), refused, "a batch with a text in it");
      await publisher.publish(bytes("h"));
      same(await scene.drain(channel, queue), ["h"], "what arrived behind it, and nothing of it");
    },
  },
  {
    name: "give up a batch by a signal: what was not confirmed is told with its outcome",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue, maxUnconfirmed: 1 });
      const controller = new AbortController();
      const batch = publishBatch(
        publisher,
        Array.from({ length: 2500 }, () => bytes("a")),
        { signal: controller.signal },
      );
      controller.abort();
      const error = await scene.soon(fails(batch, { code: "BATCH_FAILED" }, "the batch"), "the end of the batch");
      ok(error instanceof BatchError, "a BatchError");
      const outcomes = error.failures.map(({ error: one }) => `${one.code} ${one.outcome}`);
      same([...new Set(outcomes)], ["ABORTED unknown", "ABORTED not-sent"], "the outcomes");
      same(outcomes.filter((outcome) => outcome === "ABORTED unknown").length, 1, "how many may have arrived");
      await publisher.flush();
      same(await scene.messageCount(channel, queue), 2500 - outcomes.length + 1, "what arrived");
    },
  },
  {
    name: "give up a message by its time or its signal, and tell whether it left",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection } = await scene.openThrough(proxy);
      const { channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const options = { routingKey: queue, maxUnconfirmed: 1, timeout: 60_000 };
      const publisher = await connection.openPublisher(options);
      await publisher.publish(bytes("before"));
      await proxy.silence("to-client");
      const controller = new AbortController();
      const outcomes = [
        fails(publisher.publish(bytes("left"), { timeout: 200 }), { code: "TIMEOUT", outcome: "unknown" }, "the first"),
        fails(publisher.publish(bytes("b"), { timeout: 50 }), { code: "TIMEOUT", outcome: "not-sent" }, "the second"),
        fails(
          publisher.publish(bytes("c"), { signal: controller.signal }),
          { code: "ABORTED", outcome: "not-sent", cause: "enough" },
          "the third",
        ),
        fails(publisher.publish(bytes("d"), { signal: AbortSignal.abort() }), { outcome: "not-sent" }, "the fourth"),
      ];
      controller.abort("enough");
      await scene.soon(Promise.all(outcomes), "all to be given up");
      await proxy.speak();
      await scene.soon(publisher.publish(bytes("after")), "a message afterwards");
      await publisher.flush();
      same(await scene.drain(channel, queue), ["before", "left", "after"], "what arrived");
    },
  },
  {
    name: "wait for what is in flight when they are closed",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue });
      for (let i = 0; i < 500; i += 1) publisher.send(bytes(`${i}`));
      await scene.soon(publisher.close(), "the end");
      same(await scene.messageCount(channel, queue), 500, "messages in the queue");
    },
  },
  {
    name: "publish without confirms when they are told so",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue, confirm: false, persistent: false });
      await publisher.publish(bytes("a"));
      await publisher.flush();
      await publisher.close();
      let message: GotMessage | undefined;
      await scene.until(
        async () => (message = await channel.basicGet({ queue, noAck: true })) !== undefined,
        "the message",
      );
      same(text(message), "a", "the message");
      same(message?.properties, {}, "its properties");
    },
  },
];
