/** Getting single messages. */

import type { GotMessage } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, same, throws } from "./expect.ts";
import { text } from "./scene.ts";

export const getCases: readonly ConformanceCase[] = [
  {
    name: "gives nothing, then a message with what is left behind it",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      same(await channel.basicGet({ queue }), undefined, "from an empty queue");
      await scene.fill(queue, "a", "b", "c");
      const message = await channel.basicGet({ queue });
      same(text(message), "a", "the message");
      same([message?.messageCount, message?.redelivered, message?.routingKey], [2, false, queue], "about it");
      message?.ack();
      throws(() => message?.ack(), { name: "SettlementError", code: "ALREADY_SETTLED" }, "acknowledging again");
      same(await scene.drain(channel, queue), ["b", "c"], "what was left");
    },
  },
  {
    name: "many at once are answered in order",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a", "b", "c");
      const messages = await Promise.all([1, 2, 3, 4].map(() => channel.basicGet({ queue, noAck: true })));
      same(messages.map(text), ["a", "b", "c", undefined], "the messages");
    },
  },
  {
    name: "with noAck is settled at once",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a");
      const message = await channel.basicGet({ queue, noAck: true });
      same(message?.outstanding, false, "outstanding");
      throws(() => message?.nack(), { code: "ALREADY_SETTLED" }, "refusing it");
      same(await scene.left({ connection, channel }, queue), [], "messages after the channel");
    },
  },
  {
    name: "goes back when the channel is closed, and is stale then",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a");
      const message = await channel.basicGet({ queue });
      await channel.close();
      throws(
        () => message?.ack(),
        { name: "SettlementError", code: "STALE_DELIVERY", outcome: "not-sent" },
        "settling",
      );
      // The queue hears of the channel's end a little later than we do.
      const other = await connection.openChannel();
      let again: GotMessage | undefined;
      await scene.until(async () => (again = await other.basicGet({ queue })) !== undefined, "the message again");
      same([text(again), again?.redelivered], ["a", true], "what is said of it");
    },
  },
  {
    name: "from a queue that does not exist fails with 404",
    async run(scene) {
      const { channel } = await scene.open();
      const error = await fails(channel.basicGet({ queue: scene.name("none") }), { replyCode: 404 }, "getting");
      like(error, { method: "basic.get", outcome: "refused" }, "about it");
    },
  },
  {
    name: "that is given up gives its message back",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a");
      const controller = new AbortController();
      const getting = channel.basicGet({ queue, signal: controller.signal });
      controller.abort();
      await fails(getting, { code: "ABORTED" }, "getting");
      const back = async (): Promise<boolean> => (await scene.messageCount(channel, queue)) === 1;
      await scene.until(back, "the message to be back");
    },
  },
];
