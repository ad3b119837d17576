/** Exchanges, and the bindings that route. */

import type { Channel } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, same } from "./expect.ts";
import { bytes, type Scene } from "./scene.ts";

export const exchangeCases: readonly ConformanceCase[] = [
  {
    name: "are declared, found, declared again, and deleted",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const exchange = await scene.exchange(channel, "topic");
      await channel.exchangeDeclare({ exchange, passive: true });
      await channel.exchangeDeclare({ exchange, type: "topic" });
      await channel.exchangeDelete({ exchange });
      await channel.exchangeDelete({ exchange });
      await fails(channel.exchangeDeclare({ exchange, passive: true }), { replyCode: 404 }, "asking for it");
      const other = await connection.openChannel();
      await fails(
        other.exchangeDeclare({ exchange: "amq.leveret", type: "direct" }),
        { replyCode: 403, method: "exchange.declare", outcome: "refused" },
        "a reserved name",
      );
    },
  },
  {
    name: "declared differently are refused with 406",
    async run(scene) {
      const { channel } = await scene.open();
      const exchange = await scene.exchange(channel, "direct");
      await fails(channel.exchangeDeclare({ exchange, type: "fanout" }), { replyCode: 406 }, "another type");
    },
  },
  {
    name: "of a type that does not exist are refused",
    async run(scene) {
      const { channel } = await scene.open();
      // RabbitMQ before 3.13 closes the connection for it, with 503.
      const error = await fails(
        channel.exchangeDeclare({ exchange: scene.name("x"), type: "nonsense" }),
        {},
        "declaring",
      );
      const { replyCode } = error as Error & { replyCode?: number };
      same(replyCode === 406 || replyCode === 503, true, `refused with ${replyCode}`);
    },
  },
  {
    name: "in use are not deleted when only unused ones are to be",
    async run(scene) {
      const { channel } = await scene.open();
      const exchange = await scene.exchange(channel, "fanout");
      await channel.queueBind({ queue: await scene.queue(channel), exchange });
      await fails(channel.exchangeDelete({ exchange, ifUnused: true }), { replyCode: 406 }, "deleting");
    },
  },
  {
    name: "that are internal take no publishes",
    async run(scene) {
      const { channel } = await scene.open();
      const exchange = await scene.exchange(channel, "fanout", { internal: true });
      await channel.basicPublish({ exchange, routingKey: "", body: bytes("no") });
      const error = await scene.soon(channel.closed, "the channel to be closed");
      same((error as { replyCode?: number }).replyCode, 403, "the reply code");
    },
  },
  {
    name: "that delete themselves go with their last binding",
    async run(scene) {
      const { channel } = await scene.open();
      const exchange = scene.name("exchange");
      const queue = await scene.queue(channel);
      await channel.exchangeDeclare({ exchange, type: "fanout", autoDelete: true });
      await channel.queueBind({ queue, exchange });
      await channel.queueUnbind({ queue, exchange });
      await fails(channel.exchangeDeclare({ exchange, passive: true }), { replyCode: 404 }, "asking for it");
    },
  },
  {
    name: "route by key, by pattern, to all, and by headers",
    async run(scene) {
      const { channel } = await scene.open();
      const route = await router(scene, channel);
      same(await route("direct", "a", { routingKey: "a" }), 1, "direct, the key");
      same(await route("direct", "a", { routingKey: "b" }), 0, "direct, another key");
      same(await route("topic", "a.*.#", { routingKey: "a.b" }), 1, "topic, a match");
      same(await route("topic", "a.*.#", { routingKey: "a" }), 0, "topic, no match");
      same(await route("fanout", "", { routingKey: "whatever" }), 1, "fanout");
      const match = { "x-match": "all", kind: "order", large: true };
      same(await route("headers", "", { headers: { kind: "order", large: true } }, match), 1, "headers, all");
      same(await route("headers", "", { headers: { kind: "order" } }, match), 0, "headers, not all");
      const any = { ...match, "x-match": "any" };
      same(await route("headers", "", { headers: { kind: "order" } }, any), 1, "headers, any");
    },
  },
  {
    name: "are bound to each other, and unbound: mandatory publishes show it",
    async run(scene) {
      const { channel } = await scene.open();
      const source = await scene.exchange(channel, "fanout");
      const destination = await scene.exchange(channel, "fanout");
      await channel.queueBind({ queue: await scene.queue(channel), exchange: destination });
      await channel.confirmSelect();
      const publish = (): Promise<void> =>
        channel.basicPublish({ exchange: source, routingKey: "k", mandatory: true, body: bytes("hello") });
      await fails(publish(), { code: "UNROUTABLE", exchange: source, routingKey: "k" }, "before the binding");
      await channel.exchangeBind({ destination, source });
      await publish();
      await channel.exchangeUnbind({ destination, source });
      await fails(publish(), { code: "UNROUTABLE" }, "after the unbinding");
    },
  },
  {
    name: "give what nothing matches to their alternate exchange",
    async run(scene) {
      const { channel } = await scene.open();
      const alternate = await scene.exchange(channel, "fanout");
      const exchange = scene.name("exchange");
      scene.after(() => channel.exchangeDelete({ exchange }));
      await channel.exchangeDeclare({ exchange, type: "direct", arguments: { "alternate-exchange": alternate } });
      const queue = await scene.queue(channel);
      await channel.queueBind({ queue, exchange: alternate });
      await channel.basicPublish({ exchange, routingKey: "nothing", body: bytes("caught") });
      same(await scene.drain(channel, queue), ["caught"], "what was caught");
    },
  },
  {
    name: "take declarations, bindings and deletions that nobody waits for",
    async run(scene) {
      const { channel } = await scene.open();
      const exchange = scene.name("exchange");
      const other = scene.name("other");
      const noWait = true;
      await channel.exchangeDeclare({ exchange, type: "fanout", noWait });
      await channel.exchangeDeclare({ exchange: other, type: "fanout", noWait });
      await channel.exchangeBind({ destination: other, source: exchange, noWait });
      const queue = await scene.queue(channel);
      await channel.queueBind({ queue, exchange: other });
      await channel.basicPublish({ exchange, routingKey: "", body: bytes("through both") });
      same(await scene.drain(channel, queue), ["through both"], "what came");
      await channel.exchangeUnbind({ destination: other, source: exchange, noWait });
      await channel.exchangeDelete({ exchange, noWait });
      await channel.exchangeDelete({ exchange: other, noWait });
      await fails(channel.exchangeDeclare({ exchange, passive: true }), { replyCode: 404 }, "asking for it");
    },
  },
];

interface Routed {
  readonly routingKey?: string;
  readonly headers?: Record<string, string | boolean>;
}

/** Publishes through a new exchange with one binding, and counts what comes. */
async function router(
  scene: Scene,
  channel: Channel,
): Promise<(type: string, key: string, message: Routed, match?: Record<string, string | boolean>) => Promise<number>> {
  const queue = await scene.queue(channel);
  return async (type, key, { routingKey = "", headers }, match = {}) => {
    const exchange = await scene.exchange(channel, type);
    await channel.queueBind({ queue, exchange, routingKey: key, arguments: match });
    await channel.basicPublish({ exchange, routingKey, properties: { headers }, body: bytes("routed") });
    return (await channel.queuePurge({ queue })).messageCount;
  };
}
