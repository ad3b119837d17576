/** What becomes of publishes when the connection is lost: rows of the table in docs/recovery.md. */

import type { ConformanceCase } from "./case.ts";
import { fails, ok, same } from "./expect.ts";
import { comeBack, goDown, holdAnswers, isPending, outage, recovering } from "./outages.ts";
import { bytes } from "./scene.ts";

const needs = ["proxy"] as const;
const lostUnknown = { code: "CONNECTION_LOST", outcome: "unknown" };

export const recoveryPublishCases: readonly ConformanceCase[] = [
  {
    name: "publish without confirms, not sent: waits, and is sent after recovery",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      await goDown(scene, all);
      const publish = all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("m") });
      ok(await isPending(scene, publish), "it waits");
      await comeBack(scene, all);
      await scene.soon(publish, "the publish");
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 1, "the message");
    },
  },
  {
    name: "publish without confirms, handed over: is resolved, and is not sent again",
    needs,
    async run(scene) {
      const all = await recovering(scene, { republish: true });
      const queue = await scene.durableQueue(all.onlooker);
      await all.proxy.silence("to-server");
      await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("lost") });
      await outage(scene, all);
      await all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("next") });
      same(await scene.drain(all.channel, queue), ["next"], "the messages");
    },
  },
  {
    name: "publish with confirms, not sent: waits, and keeps its place",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      await all.channel.confirmSelect();
      await goDown(scene, all);
      const bodies = Array.from({ length: 50 }, (_, index) => `m${index}`);
      const publishes = bodies.map((body) =>
        all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes(body) }),
      );
      await comeBack(scene, all);
      await scene.soon(Promise.all(publishes), "the confirms");
      same(await scene.drain(all.onlooker, queue), bodies, "the messages");
    },
  },
  {
    name: "publish with confirms, unconfirmed: rejects as unknown, and may have arrived",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      await all.channel.confirmSelect();
      await holdAnswers(all);
      const publish = all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("arrived") });
      const lost = fails(publish, lostUnknown, "the publish");
      await scene.until(async () => (await scene.messageCount(all.onlooker, queue)) === 1, "the message");
      await outage(scene, all);
      await scene.soon(lost, "the publish's end");
      await scene.soon(all.channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("next") }), "the next");
      same(all.channel.unconfirmed, 0, "unconfirmed");
      same(await scene.drain(all.onlooker, queue), ["arrived", "next"], "the messages");
    },
  },
  {
    name: "publish with confirms, unconfirmed, with republish: is published again, in order, ahead of what waited",
    needs,
    async run(scene) {
      const all = await recovering(scene, { republish: true });
      const queue = await scene.durableQueue(all.onlooker);
      const publisher = await all.connection.openPublisher({ routingKey: queue });
      await all.proxy.silence("to-server");
      const publishes = ["a", "b", "c"].map((body) => publisher.publish(bytes(body)));
      await goDown(scene, all);
      publishes.push(publisher.publish(bytes("d")));
      await comeBack(scene, all);
      await scene.soon(Promise.all(publishes), "the confirms");
      same(await scene.drain(all.onlooker, queue), ["a", "b", "c", "d"], "the messages");
    },
  },
  {
    name: "publish with confirms, republished over three connections: confirms of several at once find their publishes",
    needs,
    async run(scene) {
      const all = await recovering(scene, { republish: true, republishLimit: 5 });
      const queue = await scene.durableQueue(all.onlooker);
      const publisher = await all.connection.openPublisher({ routingKey: queue });
      const sent: string[] = [];
      const publishes: Promise<void>[] = [];
      for (let round = 0; round < 3; round += 1) {
        await holdAnswers(all);
        for (let index = 0; index < 20; index += 1) {
          sent.push(`${round}.${index}`);
          publishes.push(publisher.publish(bytes(`${round}.${index}`)));
        }
        await outage(scene, all, "reset");
      }
      await scene.soon(Promise.all(publishes), "the confirms");
      same(publisher.unconfirmed, 0, "unconfirmed");
      const firsts = [...new Set(await scene.drain(all.onlooker, queue))];
      same(firsts, sent, "the messages, in order of their first time");
    },
  },
  {
    name: "publish, mandatory, not sent: waits, and is handed back after recovery",
    needs,
    async run(scene) {
      const all = await recovering(scene);
      await all.channel.confirmSelect();
      await goDown(scene, all);
      const publish = all.channel.basicPublish({
        exchange: "",
        routingKey: scene.name("missing"),
        body: bytes("m"),
        mandatory: true,
      });
      const returned = fails(publish, { code: "UNROUTABLE", outcome: "refused" }, "the publish");
      await comeBack(scene, all);
      await scene.soon(returned, "the return");
    },
  },
  {
    name: "publish, mandatory, unconfirmed: rejects as unknown, and with republish is handed back in the end",
    needs,
    async run(scene) {
      for (const republish of [false, true]) {
        const all = await recovering(scene, { republish });
        const publisher = await all.connection.openPublisher({ routingKey: scene.name("missing"), mandatory: true });
        await all.proxy.silence("to-server");
        const expected = republish ? { code: "UNROUTABLE" } : lostUnknown;
        const ended = fails(publisher.publish(bytes("m")), expected, "the publish");
        await outage(scene, all);
        await scene.soon(ended, "its end");
      }
    },
  },
  {
    name: "publish, mandatory, handed back before the loss: keeps that verdict, also with republish",
    needs,
    async run(scene) {
      const all = await recovering(scene, { republish: true });
      const publisher = await all.connection.openPublisher({ routingKey: scene.name("missing"), mandatory: true });
      let returns = 0;
      publisher.on("return", () => {
        returns += 1;
      });
      const refused = fails(publisher.publish(bytes("m")), { code: "UNROUTABLE" }, "the publish");
      await scene.until(() => returns === 1, "the return");
      await outage(scene, all);
      await scene.soon(refused, "the publish's end");
      await scene.soon(publisher.flush(), "the flush");
      same(returns, 1, "returns");
    },
  },
  {
    name: "flush: waits until what was published again is confirmed, and rejects when something is unknown",
    needs,
    async run(scene) {
      for (const republish of [true, false]) {
        const all = await recovering(scene, { republish });
        const queue = await scene.durableQueue(all.onlooker);
        const publisher = await all.connection.openPublisher({ routingKey: queue });
        await all.proxy.silence("to-server");
        publisher.send(bytes("m"));
        const flushed = publisher.flush();
        const end = republish ? flushed : fails(flushed, { code: "FLUSH_FAILED", outcome: "unknown" }, "the flush");
        await outage(scene, all);
        await scene.soon(Promise.resolve(end), "the flush's end");
        same(await scene.drain(all.onlooker, queue), republish ? ["m"] : [], "the messages");
      }
    },
  },
  {
    name: "publish, congested: what waited for the transport waits for the next one",
    needs,
    async run(scene) {
      const all = await recovering(scene, { republish: true });
      const queue = await scene.durableQueue(all.onlooker);
      const publisher = await all.connection.openPublisher({ routingKey: queue });
      await all.proxy.silence("to-server");
      const body = new Uint8Array(256 * 1024).fill(120);
      const publishes = Array.from({ length: 24 }, () => publisher.publish(body));
      await outage(scene, all, "reset");
      await scene.soon(Promise.all(publishes), "the confirms");
      same(await scene.messageCount(all.onlooker, queue), 24, "the messages");
    },
  },
  {
    name: "the gate: lets so many bytes wait, so many calls, and so long",
    needs,
    async run(scene) {
      const all = await recovering(scene, { maxWaitingCalls: 2, maxWaitingBytes: 10, acquireTimeout: 150 });
      const { channel } = all;
      const refused = { code: "NOT_CONNECTED", outcome: "not-sent", retryable: true };
      await goDown(scene, all);
      const publish = (size: number): Promise<void> =>
        channel.basicPublish({ exchange: "", routingKey: "q", body: new Uint8Array(size) });
      const late = [
        fails(publish(10), refused, "the first"),
        fails(channel.queueDeclare({ exclusive: true }), refused, "the second"),
      ];
      await fails(channel.queueDeclare({ exclusive: true }), refused, "one call too many");
      await scene.soon(Promise.all(late), "the end of their patience");
      await fails(publish(11), refused, "some bytes too many");
      await comeBack(scene, all);
      ok((await channel.queueDeclare({ exclusive: true })).queue !== "", "a call that did not have to wait");
    },
  },
];
