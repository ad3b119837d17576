/** Channels: their state, their errors, and how they end. */

import type { Channel } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes } from "./scene.ts";

export const channelCases: readonly ConformanceCase[] = [
  {
    name: "open and close, and may be closed twice",
    async run(scene) {
      const { channel } = await scene.open();
      same(channel.state, "open", "the state");
      same(channel.mode, "plain", "the mode");
      await Promise.all([channel.close({ replyText: "done" }), channel.close()]);
      await channel.close();
      await channel[Symbol.asyncDispose]();
      same(channel.state, "closed", "the state afterwards");
      same(await channel.closed, undefined, "the reason");
      const expected = { name: "ChannelError", code: "CHANNEL_CLOSED", outcome: "not-sent" };
      await fails(channel.queueDeclare(), expected, "a call");
      await fails(channel.basicPublish({ exchange: "", routingKey: "", body: bytes("") }), expected, "a publish");
    },
  },
  {
    name: "answer calls that were made before the close",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = scene.name("queue");
      const declaring = channel.queueDeclare({ queue, exclusive: true });
      const purging = channel.queuePurge({ queue });
      const closing = channel.close();
      like(await declaring, { queue }, "the declaration");
      same(await purging, { messageCount: 0 }, "the purge");
      await closing;
    },
  },
  {
    name: "are closed by the server when it refuses a call, and only they",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const other = await connection.openChannel();
      const queue = scene.name("none");
      const expected = {
        name: "ChannelError",
        code: "CHANNEL_CLOSED_BY_SERVER",
        replyCode: 404,
        method: "queue.declare",
        outcome: "refused",
        retryable: false,
      };
      await fails(channel.queueDeclare({ queue, passive: true }), expected, "the call");
      same(channel.state, "closed", "the state");
      like(await channel.closed, { replyCode: 404 }, "the reason");
      await fails(channel.queueDeclare(), { replyCode: 404, outcome: "not-sent" }, "a call afterwards");
      await scene.queue(other);
      same(connection.state, "open", "the connection's state");
      same((await connection.openChannel()).number, channel.number, "its number is free again");
    },
  },
  {
    name: "tell calls behind the one that failed that they were not sent",
    async run(scene) {
      const { channel } = await scene.open();
      const first = channel.queueDeclare({ queue: scene.name("none"), passive: true });
      const second = channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
      await Promise.all([
        fails(first, { replyCode: 404, outcome: "refused" }, "the first"),
        fails(second, { replyCode: 404, outcome: "not-sent" }, "the second"),
      ]);
    },
  },
  {
    name: "end with the server's reason when both sides close at once",
    async run(scene) {
      const { channel } = await scene.open();
      const failing = fails(
        channel.queueDeclare({ queue: scene.name("none"), passive: true }),
        { replyCode: 404 },
        "the call",
      );
      const waiting = fails(channel.queueDeclare(), { outcome: "not-sent" }, "a call behind it");
      await Promise.all([failing, waiting, channel.close()]);
      like(await channel.closed, { replyCode: 404 }, "the reason");
    },
  },
  {
    name: "are closed by a failure that nobody waited for",
    async run(scene) {
      const { channel } = await scene.open();
      await channel.queueDeclare({ queue: scene.name("none"), passive: true, noWait: true });
      const error = await scene.soon(channel.closed, "the channel to be closed");
      like(error, { replyCode: 404, method: "queue.declare" }, "the reason");
    },
  },
  {
    name: "mix calls that wait and calls that do not, in order",
    async run(scene) {
      const { channel } = await scene.open();
      const [a, b, c] = [scene.name("a"), scene.name("b"), scene.name("c")] as const;
      const declare = (queue: string) => ({ queue, exclusive: true });
      const results = await scene.soon(
        Promise.all([
          channel.queueDeclare(declare(a)),
          channel.queueDeclare({ ...declare(b), noWait: true }),
          channel.queueBind({ queue: b, exchange: "amq.direct", routingKey: b, noWait: true }),
          channel.queueDeclare(declare(c)),
          channel.queueDeclare({ queue: b, passive: true }),
        ]),
        "all to be answered",
      );
      like([results[0], results[3], results[4]], [{ queue: a }, { queue: c }, { queue: b }], "the answers");
      await channel.basicPublish({ exchange: "amq.direct", routingKey: b, body: bytes("routed") });
      same((await channel.queuePurge({ queue: b })).messageCount, 1, "messages through the binding");
    },
  },
  {
    name: "answer a flow that is active, and refuse to stop it before anything is sent",
    async run(scene) {
      const { channel } = await scene.open();
      same(await channel.flow({ active: true }), true, "the answer");
      same(channel.flowActive, true, "flowActive");
      await fails(channel.flow({ active: false }), { code: "NOT_SUPPORTED" }, "stopping");
      same(channel.state, "open", "the state");
    },
  },
  {
    name: "make any request of the protocol by its name",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = scene.name("queue");
      like(await channel.request("queue.declare", { queue, exclusive: true }), { queue, messageCount: 0 }, "the reply");
      like(await channel.request("queue.delete", { queue }), { messageCount: 0 }, "another");
    },
  },
  {
    name: "refuse bad input before anything is sent, and live on",
    async run(scene) {
      const { channel } = await scene.open();
      const bad: [string, (on: Channel) => Promise<unknown>][] = [
        ["a list for a name", (on) => on.queueDeclare({ queue: ["q"] as unknown as string })],
        ["a name of 256 bytes", (on) => on.queueDeclare({ queue: "q".repeat(256) })],
        ["a key of 256 bytes", (on) => on.basicPublish({ exchange: "", routingKey: "k".repeat(256), body: bytes("") })],
        [
          "a text for a body",
          (on) => on.basicPublish({ exchange: "", routingKey: "", body: "x" as unknown as Uint8Array }),
        ],
        ["a prefetch of 65536", (on) => on.basicQos({ prefetchCount: 65_536 })],
        ["a function in a table", (on) => on.queueDeclare({ arguments: { x: (() => {}) as unknown as string } })],
        ["an expiration that is a number", (on) => publishWith(on, { expiration: 5 as unknown as string })],
        ["an expiration that is no number", (on) => publishWith(on, { expiration: "5s" })],
        ["an expiration of more than ten years", (on) => publishWith(on, { expiration: "315360000001" })],
        ["a CC that is no array", (on) => publishWith(on, { headers: { CC: "audit" } })],
        ["a BCC that is not of texts", (on) => publishWith(on, { headers: { BCC: [5] } })],
        ["a priority of 256", (on) => publishWith(on, { priority: 256 })],
      ];
      for (const [what, call] of bad) {
        await fails(call(channel), { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" }, what);
      }
      await scene.queue(channel);
    },
  },
  {
    name: "refuse options that they do not know, before anything is sent, and live on",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const body = bytes("");
      const message = { exchange: "", routingKey: queue, body };
      const publisher = await connection.openPublisher({ routingKey: queue });
      const unknown: [name: string, call: () => Promise<unknown>][] = [
        ["autodelete", () => channel.queueDeclare(loose({ queue, autodelete: true }))],
        ["kind", () => channel.exchangeDeclare(loose({ exchange: queue, kind: "fanout" }))],
        ["key", () => channel.queueBind(loose({ queue, exchange: "amq.direct", key: "k" }))],
        ["noWait", () => channel.queueUnbind(loose({ queue, exchange: "amq.direct", noWait: true }))],
        ["timeout", () => channel.queueDelete(loose({ queue, timeout: 5 }))],
        ["timeout", () => channel.basicGet(loose({ queue, timeout: 5 }))],
        ["count", () => channel.basicQos(loose({ prefetchCount: 1, count: 1 }))],
        ["prefech", () => channel.basicConsume(loose({ queue, prefech: 10 }))],
        ["settle", () => channel.basicConsume(loose({ queue, settle: "manual" }))],
        ["persistent", () => channel.basicPublish(loose({ ...message, persistent: true }))],
        ["properties.deliverymode", () => channel.basicPublish({ ...message, properties: loose({ deliverymode: 2 }) })],
        ["timeout", () => connection.openChannel(loose({ timeout: 5 }))],
        ["prefech", () => connection.openConsumer(loose({ queue, prefech: 10 }), () => {})],
        ["maxUncomfirmed", () => connection.openPublisher(loose({ maxUncomfirmed: 1 }))],
        [
          "properties.contenttype",
          () => connection.openPublisher({ properties: loose({ contenttype: "text/plain" }) }),
        ],
        ["persistent", () => publisher.publish(body, loose({ persistent: false }))],
      ];
      for (const [name, call] of unknown) {
        const refused = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };
        const error = await fails(call(), refused, `an option ${name}`);
        ok(error.message.startsWith(`${name} is not an option; the options are `), `what is said of ${name}`);
      }
      same(await scene.messageCount(channel, queue), 0, "the queue's messages");
      same(connection.channelCount, 2, "the channels");
    },
  },
  {
    name: "give up waiting by a signal, and take the late answer for nobody's",
    async run(scene) {
      const { channel } = await scene.open();
      const controller = new AbortController();
      const slow = channel.queueDeclare({ queue: scene.name("slow"), exclusive: true, signal: controller.signal });
      const next = scene.queue(channel);
      controller.abort("enough");
      await fails(slow, { name: "AbortError", code: "ABORTED", cause: "enough" }, "the first");
      const queue = await scene.soon(next, "the second");
      same(await scene.messageCount(channel, queue), 0, "the second's own answer");
    },
  },
];

/** What JavaScript lets pass. */
function loose<T>(options: object): T {
  return options as T;
}

function publishWith(channel: Channel, properties: object): Promise<void> {
  return channel.basicPublish({ exchange: "", routingKey: "", body: bytes(""), properties });
}
