/** Publisher confirms on a channel. */

import type { UnroutableError } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const confirmCases: readonly ConformanceCase[] = [
  {
    name: "a publish resolves when the server has the message",
    async run(scene) {
      const { channel } = await scene.open();
      await channel.confirmSelect();
      await channel.confirmSelect();
      same(channel.mode, "confirm", "the mode");
      const queue = await scene.queue(channel);
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("safe") });
      same(await scene.messageCount(channel, queue), 1, "messages in the queue");
      same(channel.unconfirmed, 0, "unconfirmed");
    },
  },
  {
    name: "five thousand publishes in flight are each confirmed once",
    async run(scene) {
      const { channel } = await scene.open();
      await channel.confirmSelect({ noWait: true });
      const queue = await scene.durableQueue(channel);
      let confirmed = 0;
      const publishes = Array.from({ length: 5000 }, (_, i) =>
        channel
          .basicPublish({
            exchange: "",
            routingKey: queue,
            properties: { deliveryMode: (i % 2) + 1 },
            body: bytes(`${i}`),
          })
          .then(() => (confirmed += 1)),
      );
      await scene.soon(Promise.all(publishes), "all to be confirmed");
      same(confirmed, 5000, "confirms");
      same(channel.unconfirmed, 0, "unconfirmed");
      same(await scene.messageCount(channel, queue), 5000, "messages in the queue");
    },
  },
  {
    name: "mandatory messages that nobody takes are told apart from the others, with many in flight",
    async run(scene) {
      const { channel } = await scene.open();
      await channel.confirmSelect();
      const queue = await scene.queue(channel);
      const nowhere = scene.name("nowhere");
      const outcomes = await Promise.all(
        Array.from({ length: 300 }, (_, i) =>
          channel
            .basicPublish({
              exchange: "",
              routingKey: i % 3 === 0 ? nowhere : queue,
              mandatory: true,
              body: bytes(`${i}`),
            })
            .then(
              () => "taken",
              (error: UnroutableError) => `${error.code} ${error.replyCode} ${text(error.returned)}`,
            ),
        ),
      );
      for (const [i, outcome] of outcomes.entries()) {
        same(outcome, i % 3 === 0 ? `UNROUTABLE 312 ${i}` : "taken", `the outcome of publish ${i}`);
      }
      same(channel.state, "open", "the state");
      same(await scene.messageCount(channel, queue), 200, "messages in the queue");
    },
  },
  {
    name: "mandatory messages with the same address and body are told apart by their headers",
    async run(scene) {
      const { channel } = await scene.open();
      await channel.confirmSelect();
      const exchange = await scene.exchange(channel, "headers");
      const queue = await scene.queue(channel);
      await channel.queueBind({ queue, exchange, arguments: { "x-match": "all", kind: "known" } });
      const publish = (kind: string): Promise<string> =>
        channel
          .basicPublish({
            exchange,
            routingKey: "",
            mandatory: true,
            properties: { headers: { kind } },
            body: bytes(""),
          })
          .then(
            () => "taken",
            (error: UnroutableError) => error.code,
          );
      const kinds = ["known", "unknown", "known", "other", "unknown"];
      same(
        await Promise.all(kinds.map(publish)),
        ["taken", "UNROUTABLE", "taken", "UNROUTABLE", "UNROUTABLE"],
        "the outcomes",
      );
    },
  },
  {
    name: "a queue that is full refuses, and that is told",
    async run(scene) {
      const { channel } = await scene.open();
      await channel.confirmSelect();
      const limits = { "x-max-length": 1, "x-overflow": "reject-publish" } as const;
      const queue = await scene.queue(channel, { arguments: limits });
      const publish = (): Promise<void> => channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("x") });
      // RabbitMQ may let a message more in than it says.
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, publish));
      const refused = outcomes.filter(({ status }) => status === "rejected");
      same(refused.length >= 17, true, `${refused.length} of 20 were refused`);
      like(
        (refused[0] as PromiseRejectedResult).reason,
        { name: "NackError", code: "NACKED", outcome: "refused", retryable: true },
        "the refusal",
      );
      same(channel.state, "open", "the state");
    },
  },
  {
    name: "a publish to an exchange that is not there is refused, and what was in flight before it may have arrived",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const onlooker = await connection.openChannel();
      const queue = await scene.queue(onlooker);
      const publishTo = (on: typeof channel, exchange: string): Promise<void> =>
        on.basicPublish({ exchange, routingKey: queue, body: bytes("x") });
      const refused = { name: "ChannelError", replyCode: 404, method: "basic.publish", outcome: "refused" };
      await channel.confirmSelect();
      await publishTo(channel, "");
      await fails(publishTo(channel, scene.name("none")), refused, "the only one in flight");

      const other = await connection.openChannel();
      await other.confirmSelect();
      const before = publishTo(other, "").then(
        () => "confirmed",
        ({ outcome }: { outcome: string }) => outcome,
      );
      const guilty = fails(publishTo(other, scene.name("none")), { ...refused, outcome: "unknown" }, "the guilty one");
      await fails(publishTo(other, ""), refused, "the one behind it");
      await guilty;
      same(["confirmed", "unknown"].includes(await before), true, `the one before was ${await before}`);
      await scene.until(async () => (await scene.messageCount(onlooker, queue)) === 2, "those before");
    },
  },
  {
    name: "a publish may be waited for only so long, and by a signal",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { channel } = await scene.openThrough(proxy);
      await channel.confirmSelect();
      const queue = await scene.queue(channel);
      const message = { exchange: "", routingKey: queue, body: bytes("x") };
      await proxy.silence("to-client");
      const controller = new AbortController();
      const late = channel.basicPublish({ ...message, timeout: 100 });
      const aborted = channel.basicPublish({ ...message, signal: controller.signal });
      await fails(late, { code: "TIMEOUT", outcome: "unknown" }, "with a timeout");
      controller.abort();
      await fails(aborted, { code: "ABORTED", outcome: "unknown" }, "with a signal");
      await proxy.speak();
      await channel.basicPublish(message);
      same(await scene.messageCount(channel, queue), 3, "messages in the queue");
    },
  },
];
