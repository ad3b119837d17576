/** What becomes of requests when the connection is lost: rows of the table in docs/recovery.md. */

import { type Channel, recoveryOf } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, ok, same } from "./expect.ts";
import { comeBack, goDown, holdAnswers, isPending, outage, type Recovering, recovering } from "./outages.ts";
import { bytes, type Scene, text } from "./scene.ts";

const needs = ["proxy"] as const;
const lostUnknown = { code: "CONNECTION_LOST", outcome: "unknown" };

/** Requests that all behave alike, with what they are asked of. */
const requests: Readonly<Record<string, (channel: Channel, queue: string, exchange: string) => Promise<unknown>>> = {
  "exchange.declare": (channel, _, exchange) => channel.exchangeDeclare({ exchange, type: "fanout" }),
  "queue.declare": (channel, queue) => channel.queueDeclare({ queue }),
  "queue.bind": (channel, queue, exchange) => channel.queueBind({ queue, exchange }),
  "queue.unbind": (channel, queue, exchange) => channel.queueUnbind({ queue, exchange }),
  "exchange.bind": (channel, _, exchange) => channel.exchangeBind({ source: "amq.fanout", destination: exchange }),
  "exchange.unbind": (channel, _, exchange) => channel.exchangeUnbind({ source: "amq.fanout", destination: exchange }),
  "queue.purge": (channel, queue) => channel.queuePurge({ queue }),
  "queue.delete": (channel, queue) => channel.queueDelete({ queue }),
  "exchange.delete": (channel, _, exchange) => channel.exchangeDelete({ exchange }),
  "basic.qos": (channel) => channel.basicQos({ prefetchCount: 7 }),
  "confirm.select": (channel) => channel.confirmSelect(),
  "tx.select": (channel) => channel.txSelect(),
};

async function things(scene: Scene, { onlooker }: Recovering): Promise<{ queue: string; exchange: string }> {
  return { queue: await scene.durableQueue(onlooker), exchange: await scene.exchange(onlooker, "fanout") };
}

/** Waits until the server has noticed that the last connection is gone: what came back would stay. */
async function noConsumer(scene: Scene, { onlooker }: Recovering, queue: string): Promise<void> {
  const gone = async (): Promise<boolean> =>
    (await onlooker.queueDeclare({ queue, passive: true })).consumerCount === 0;
  await scene.until(gone, "no consumer at the server");
}

export const recoveryRequestCases: readonly ConformanceCase[] = [
  ...Object.entries(requests).flatMap(([name, ask]): ConformanceCase[] => [
    {
      name: `${name}, not sent: waits, and is answered after recovery`,
      needs,
      async run(scene) {
        const all = await recovering(scene);
        const { queue, exchange } = await things(scene, all);
        await goDown(scene, all);
        const request = ask(all.channel, queue, exchange);
        ok(await isPending(scene, request), "it waits");
        await comeBack(scene, all);
        await scene.soon(request, "the answer");
      },
    },
    {
      name: `${name}, unanswered: rejects as unknown, and can be repeated`,
      needs,
      async run(scene) {
        const all = await recovering(scene);
        const { queue, exchange } = await things(scene, all);
        const recorded = all.connection.recordedCount;
        await holdAnswers(all);
        const lost = fails(ask(all.channel, queue, exchange), { ...lostUnknown, retryable: true }, "the request");
        await outage(scene, all);
        await scene.soon(lost, "its end");
        same(all.connection.recordedCount, recorded, "records of what nobody knows");
        await scene.soon(ask(all.channel, queue, exchange), "the request again");
        same(all.channel.state, "open", "the channel's state");
      },
    },
  ]),
  {
    name: "requests that may be made twice, unanswered, with retryIdempotent: are made again",
    needs,
    async run(scene) {
      const all = await recovering(scene, { retryIdempotent: true });
      const { queue, exchange } = await things(scene, all);
      const { "queue.purge": purge, ...repeatable } = requests;
      for (const ask of Object.values(repeatable)) {
        const channel = await all.connection.openChannel();
        await holdAnswers(all);
        const request = ask(channel, queue, exchange);
        await outage(scene, all);
        await scene.soon(request, "the answer");
      }
      await holdAnswers(all);
      const lost = fails(purge?.(all.channel, queue, exchange) ?? Promise.resolve(), lostUnknown, "a purge");
      await outage(scene, all);
      await scene.soon(lost, "its end");
    },
  },
  {
    name: "basic.consume, not sent: waits, and consumes after recovery",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      await goDown(scene, all);
      const consuming = all.channel.basicConsume({ queue });
      await comeBack(scene, all);
      const consumer = await scene.soon(consuming, "the consumer");
      await scene.fill(queue, "m");
      same(text(await consumer.take({ timeout: 30_000 })), "m", "the message");
    },
  },
  {
    name: "basic.consume, unanswered: rejects as unknown, is not recorded, and gets nothing",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      let got = 0;
      await holdAnswers(all);
      // Without acknowledgements there is no prefetch to be set first, which would be what is unanswered.
      const consuming = all.channel.basicConsume({ queue, noAck: true }, () => {
        got += 1;
      });
      const lost = fails(consuming, lostUnknown, "the request");
      const consumers = async (): Promise<number> =>
        (await all.onlooker.queueDeclare({ queue, passive: true })).consumerCount;
      await scene.until(async () => (await consumers()) === 1, "the consumer at the server");
      await outage(scene, all);
      await scene.soon(lost, "its end");
      same(all.connection.recordedCount, 0, "the records");
      await noConsumer(scene, all, queue);
      await scene.fill(queue, "m");
      same([await scene.drain(all.onlooker, queue), got], [["m"], 0], "who got the message");
    },
  },
  {
    name: "basic.cancel, while down: resolves at once, and the consumer does not come back",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      const consumer = await all.channel.basicConsume({ queue }, () => {});
      await goDown(scene, all);
      same(await scene.soon(consumer.cancel(), "the cancellation"), 0, "what goes back");
      await comeBack(scene, all);
      await noConsumer(scene, all, queue);
      same(all.connection.recordedCount, 0, "the records");
    },
  },
  {
    name: "basic.cancel, unanswered: resolves with the loss, and the consumer does not come back",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      const consumer = await all.channel.basicConsume({ queue }, () => {});
      await all.proxy.silence("to-server");
      const cancelled = consumer.cancel();
      await outage(scene, all);
      await scene.soon(cancelled, "the cancellation");
      await noConsumer(scene, all, queue);
    },
  },
  {
    name: "basic.get, not sent: waits, and gets its message after recovery",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      await scene.fill(queue, "m");
      await goDown(scene, all);
      const getting = all.channel.basicGet({ queue });
      await comeBack(scene, all);
      const message = await scene.soon(getting, "the message");
      same([text(message), message?.ack()], ["m", "settled"], "the message");
    },
  },
  {
    name: "basic.get, unanswered: rejects as unknown, and the message is back in its queue",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      await scene.fill(queue, "m");
      await holdAnswers(all);
      const lost = fails(all.channel.basicGet({ queue }), lostUnknown, "the request");
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 0, "the delivery");
      await outage(scene, all);
      await scene.soon(lost, "its end");
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 1, "the message");
      const message = await all.channel.basicGet({ queue });
      same([text(message), message?.redelivered], ["m", true], "the message");
    },
  },
  {
    name: "basic.get with noAck, unanswered: rejects as unknown, and the message may be lost",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      await scene.fill(queue, "held", "m");
      await all.channel.basicGet({ queue });
      await holdAnswers(all);
      const expected = { ...lostUnknown, possibleLoss: true };
      const lost = fails(all.channel.basicGet({ queue, noAck: true }), expected, "the request");
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 0, "the delivery");
      await outage(scene, all);
      await scene.soon(lost, "its end");
      same(await scene.drain(all.channel, queue, 1), ["held"], "what came back");
    },
  },
  {
    name: "channel.open: waits while down, and the channel opens with the others",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      await goDown(scene, all);
      const opening = all.connection.openChannel();
      ok(await isPending(scene, opening), "it waits");
      await comeBack(scene, all);
      const channel = await scene.soon(opening, "the channel");
      ok(channel.number !== all.channel.number, "a number of its own");
      await channel.queueDeclare({ exclusive: true });
    },
  },
  {
    name: "channel.open, unanswered: the channel opens with the others",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      await holdAnswers(all);
      const opening = all.connection.openChannel();
      await outage(scene, all);
      const channel = await scene.soon(opening, "the channel");
      same([all.channel.state, channel.state, all.connection.channelCount], ["open", "open", 2], "the states");
      await channel.queueDeclare({ exclusive: true });
    },
  },
  {
    name: "a request whose outcome is unknown: its error says when to try again",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      await holdAnswers(all);
      const lost = all.channel.queuePurge({ queue }).catch((error: unknown) => error);
      await all.proxy.break("cut");
      const again = recoveryOf(await scene.soon(lost, "the loss"));
      ok(again !== undefined, "a promise");
      await scene.soon(again, "recovery");
      same([all.connection.state, (await all.channel.queuePurge({ queue })).messageCount], ["open", 0], "the purge");
    },
  },
  {
    name: "channel.close: resolves while down, and the channel is not opened again",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const other = await all.connection.openChannel();
      await goDown(scene, all);
      await scene.soon(all.channel.close(), "closing");
      await comeBack(scene, all);
      same([all.channel.state, other.state, all.connection.channelCount], ["closed", "open", 1], "the states");
    },
  },
  {
    name: "channel.close, unanswered: resolves with the loss",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      await all.proxy.silence("to-server");
      const closing = all.channel.close();
      await outage(scene, all);
      await scene.soon(closing, "closing");
      same([all.channel.state, all.connection.channelCount], ["closed", 0], "the states");
    },
  },
  {
    name: "connection.close, unanswered: resolves with the loss, and nobody connects again",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      await all.proxy.silence("to-server");
      const closing = all.connection.close();
      await all.proxy.break("cut");
      await scene.soon(closing, "closing");
      same(await all.connection.closed, undefined, "the reason");
      same((await all.proxy.report()).accepted, 1, "connections");
    },
  },
  {
    name: "connection.update-secret: waits while down, and is unknown when it was unanswered",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const secret = { newSecret: scene.broker.password, reason: "renewed" };
      const update = (): Promise<void> => all.connection.updateSecret(secret);
      await holdAnswers(all);
      const lost = fails(update(), lostUnknown, "the update");
      await goDown(scene, all);
      await scene.soon(lost, "its end");
      const waiting = update();
      ok(await isPending(scene, waiting), "it waits");
      await comeBack(scene, all);
      await scene.soon(waiting, "its answer");
    },
  },
  {
    name: "a transaction without work: is selected again",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      await all.channel.txSelect();
      await outage(scene, all);
      await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("m") });
      await all.channel.txRollback();
      await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("n") });
      await all.channel.txCommit();
      same(await scene.drain(all.onlooker, queue), ["n"], "the messages");
    },
  },
  {
    name: "a transaction with work: is aborted until it is rolled back",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      const publish = (body: string): Promise<void> =>
        all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes(body) });
      await all.channel.txSelect();
      await publish("lost");
      await outage(scene, all);
      const aborted = { code: "TRANSACTION_ABORTED" };
      await fails(publish("refused"), aborted, "a publish");
      await fails(all.channel.txCommit(), aborted, "the commit");
      await all.channel.txRollback();
      await publish("m");
      await all.channel.txCommit();
      same(await scene.drain(all.onlooker, queue), ["m"], "the messages");
    },
  },
  {
    name: "a transaction with work from before the answer to tx.select: is aborted as well",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      const selected = all.channel.txSelect();
      await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("lost") });
      await selected;
      await outage(scene, all);
      await fails(all.channel.txCommit(), { code: "TRANSACTION_ABORTED" }, "the commit");
      await all.channel.txRollback();
      await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("m") });
      await all.channel.txCommit();
      same(await scene.drain(all.onlooker, queue), ["m"], "the messages");
    },
  },
  {
    name: "a commit, unanswered: is unknown, and then the transaction is aborted",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await things(scene, all);
      await all.channel.txSelect();
      await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("m") });
      await holdAnswers(all);
      const unknown = fails(all.channel.txCommit(), { code: "COMMIT_UNKNOWN", outcome: "unknown" }, "the commit");
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 1, "the commit at the server");
      await outage(scene, all);
      await scene.soon(unknown, "its end");
      await fails(all.channel.txCommit(), { code: "TRANSACTION_ABORTED" }, "the next commit");
      await all.channel.txRollback();
      await all.channel.txCommit();
    },
  },
];
