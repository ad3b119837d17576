/** How handlers settle, once; and how consumers end, in order. */

import type { ConsumerDelivery, ConsumerEnd } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { like, ok, same, throws } from "./expect.ts";
import { gate } from "./gate.ts";
import { type Scene, text } from "./scene.ts";

/** What handlers do to a delivery, and what it comes to: gone, or back. */
const settlings: Readonly<Record<string, readonly [(delivery: ConsumerDelivery) => unknown, "gone" | "back"]>> = {
  "acknowledges and returns": [(delivery) => void delivery.ack(), "gone"],
  "acknowledges and throws": [
    (delivery) => {
      delivery.ack();
      throw new Error("afterwards");
    },
    "gone",
  ],
  "refuses and returns": [(delivery) => void delivery.nack(), "back"],
  "refuses, and its promise rejects": [
    async (delivery) => {
      await Promise.resolve();
      delivery.reject();
      throw new Error("afterwards");
    },
    "back",
  ],
  returns: [() => {}, "gone"],
  throws: [
    () => {
      throw new Error("at once");
    },
    "back",
  ],
};

export const consumerEndCases: readonly ConformanceCase[] = [
  ...Object.entries(settlings).map(
    ([what, [settle, becomes]]): ConformanceCase => ({
      name: `a handler that ${what} settles its message once`,
      async run(scene) {
        const { connection, channel } = await scene.open();
        const queue = await scene.queue(channel);
        const deliveries: ConsumerDelivery[] = [];
        const consumer = await channel.basicConsume({ queue, prefetch: 1 }, (delivery) => {
          deliveries.push(delivery);
          if (deliveries.length === 1) return settle(delivery);
          return undefined;
        });
        await scene.fill(queue, "a");
        const count = becomes === "gone" ? 1 : 2;
        await scene.until(() => deliveries.length === count && deliveries.at(-1)?.outstanding === false, "its end");
        for (const delivery of deliveries) {
          throws(() => delivery.ack(), { name: "SettlementError", code: "ALREADY_SETTLED" }, "settling it again");
        }
        await consumer.close();
        same(channel.state, "open", "the channel");
        same(await scene.left({ connection, channel }, queue), [], "what is left");
      },
    }),
  ),
  {
    name: "with settle: manual nothing is settled for the handler, whether it returns or throws",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const held: ConsumerDelivery[] = [];
      const consumer = await connection.openConsumer({ queue, settle: "manual" }, (delivery) => {
        held.push(delivery);
        if (held.length === 2) throw new Error("the second");
      });
      await scene.fill(queue, "a", "b", "c");
      await scene.until(() => held.length === 3, "all three");
      same(
        held.map(({ outstanding }) => outstanding),
        [true, true, true],
        "what is outstanding",
      );
      held[0]?.ack();
      held[1]?.nack({ requeue: false });
      await consumer.close();
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 1, "the third to go back");
      throws(() => held[2]?.ack(), { code: "STALE_DELIVERY", outcome: "not-sent" }, "settling it late");
    },
  },
  {
    name: "closing waits for handlers and sends what they settled; cancelling does not wait",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const { passed, open } = gate();
      let ended = 0;
      const consumer = await connection.openConsumer({ queue, concurrency: 2, prefetch: 5 }, async () => {
        await passed;
        ended += 1;
      });
      await scene.fill(queue, ..."abcde");
      await scene.until(() => consumer.running === 2 && consumer.buffered === 3, "two that run, and three that wait");
      const [requeued, again] = await Promise.all([consumer.cancel(), consumer.cancel()]);
      same([requeued, again, consumer.running, ended], [3, 3, 2, 0], "after cancelling");
      same(await consumer.ended, { type: "cancelled" }, "the end");
      const closing = consumer.close();
      const state = await Promise.race([closing.then(() => "closed"), scene.messageCount(channel, queue)]);
      ok(state !== "closed", "it waits for its handlers");
      open();
      same(await scene.soon(closing, "the end"), { requeued: 3, unfinished: 0 }, "what became of them");
      same(await consumer.close(), { requeued: 3, unfinished: 0 }, "closing once more");
      same(ended, 2, "what was handled");
      same(await scene.drain(channel, queue, 3), ["c", "d", "e"], "what is in the queue");
    },
  },
  {
    name: "closing a consumer that is paused, or that never got anything, ends",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const idle = await connection.openConsumer({ queue }, () => {});
      same(await scene.soon(idle.close(), "the first end"), { requeued: 0, unfinished: 0 }, "the first");
      const paused = await connection.openConsumer({ queue, prefetch: 2 }, () => {});
      paused.pause();
      await scene.fill(queue, "a", "b", "c");
      await scene.until(() => paused.buffered === 2, "what it may have");
      same(await scene.soon(paused.close(), "the second end"), { requeued: 2, unfinished: 0 }, "the second");
      same(await scene.drain(channel, queue, 3), ["a", "b", "c"], "messages in the queue");
    },
  },
  {
    name: "drain: 0 does not wait, and tells how many handlers still run",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const { passed, open } = gate();
      const late: unknown[] = [];
      const consumer = await connection.openConsumer({ queue }, async (delivery) => {
        await passed;
        try {
          delivery.ack();
        } catch (error) {
          late.push(error);
        }
      });
      await scene.fill(queue, "a");
      await scene.until(() => consumer.running === 1, "a handler");
      same(await scene.soon(consumer.close({ drain: 0 }), "the end"), { requeued: 0, unfinished: 1 }, "the end");
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 1, "the message to go back");
      open();
      await scene.until(() => late.length === 1, "the late acknowledgement");
      like(late[0], { name: "SettlementError", code: "STALE_DELIVERY" }, "what the handler is told");
    },
  },
  {
    name: "every way to end has a reason of its own",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const end = async (how: (start: Started) => Promise<unknown>): Promise<ConsumerEnd> => {
        const started = await start(scene, proxy.address);
        await how(started);
        return scene.soon(started.consumer.ended, "the end");
      };
      same(await end(({ consumer }) => consumer.cancel()), { type: "cancelled" }, "cancel");
      same(await end(({ consumer }) => consumer.close()), { type: "cancelled" }, "close");
      same(await end(({ channel }) => channel.close()), { type: "closed" }, "the channel is closed");
      same(await end(({ connection }) => connection.close()), { type: "closed" }, "the connection is closed");
      const deleted = end(async ({ connection, queue }) => (await connection.openChannel()).queueDelete({ queue }));
      same(await deleted, { type: "cancelled-by-server" }, "the queue is deleted");
      const failed = await end(({ channel }) =>
        channel.queueDeclare({ queue: scene.name("none"), passive: true }).catch(() => {}),
      );
      like(failed, { type: "lost", error: { name: "ChannelError", replyCode: 404 } }, "the channel fails");
      const lost = await end(() => proxy.break("reset"));
      like(
        lost,
        { type: "lost", error: { name: "ConnectionError", code: "CONNECTION_LOST" } },
        "the connection is lost",
      );
    },
  },
  {
    name: "await using closes a consumer: its handlers end, its messages are settled",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const got: (string | undefined)[] = [];
      const consumer = await connection.openConsumer({ queue }, async (delivery) => {
        await Promise.resolve();
        got.push(text(delivery));
      });
      await scene.fill(queue, "a", "b");
      await scene.until(() => got.length > 0, "a message");
      await consumer[Symbol.asyncDispose]();
      same(await consumer.ended, { type: "cancelled" }, "the end");
      const back = await scene.drain(channel, queue, 2 - got.length);
      same([...got, ...back], ["a", "b"], "handled, or back in the queue");
    },
  },
];

interface Started extends Awaited<ReturnType<Scene["open"]>> {
  readonly queue: string;
  readonly consumer: Awaited<ReturnType<typeof consumerOf>>;
}

function consumerOf({ channel }: Awaited<ReturnType<Scene["open"]>>, queue: string) {
  return channel.basicConsume({ queue }, () => {});
}

async function start(scene: Scene, address: Scene["broker"]["address"]): Promise<Started> {
  const opened = await scene.open(address);
  const queue = await scene.queue(opened.channel);
  return { ...opened, queue, consumer: await consumerOf(opened, queue) };
}
