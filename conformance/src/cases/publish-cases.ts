/** Publishing without confirms: bodies, properties, and messages that come back. */

import { type Channel, encodeProperties, type ReturnedMessage } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { like, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

const mib = 1024 * 1024;

export const publishCases: readonly ConformanceCase[] = [
  {
    name: "a message arrives as it was sent, whatever its size",
    timeout: 60_000,
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const inFrame = connection.negotiated.frameMax - 8;
      for (const size of [0, 1, 4095, 4096, inFrame - 1, inFrame, inFrame + 1, 2 * inFrame, mib, 15 * mib]) {
        const body = pattern(size);
        await channel.basicPublish({ exchange: "", routingKey: queue, body });
        const message = await channel.basicGet({ queue, noAck: true });
        same(message?.body.length, size, "the size");
        same(firstDifference(message?.body ?? new Uint8Array(0), body), -1, `the first byte that differs of ${size}`);
      }
    },
  },
  {
    name: "a message arrives through small frames",
    async run(scene) {
      const { channel } = await scene.open({ frameMax: 8192 });
      const queue = await scene.queue(channel);
      const body = pattern(100_000);
      await channel.basicPublish({ exchange: "", routingKey: queue, body });
      same((await channel.basicGet({ queue, noAck: true }))?.body, body, "the body");
    },
  },
  {
    name: "messages of one channel arrive in order, ten thousand of them in one turn",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const count = 10_000;
      for (let i = 0; i < count; i += 1) {
        void channel.basicPublish({ exchange: "", routingKey: queue, body: bytes(`${i}`) });
      }
      let next = 0;
      const consumer = await channel.basicConsume({ queue, noAck: true }, (delivery) => {
        same(text(delivery), `${next}`, "the order");
        next += 1;
      });
      await scene.until(() => next === count, "all to arrive");
      await consumer.close();
    },
  },
  {
    name: "properties arrive as they were sent, all of them and none",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      const properties = {
        contentType: "text/plain",
        contentEncoding: "identity",
        headers: { a: 1, b: "two", c: { d: [true, null] } },
        deliveryMode: 2,
        priority: 3,
        correlationId: "c-1",
        replyTo: "answers",
        expiration: "60000",
        messageId: "m-1",
        timestamp: new Date(1_700_000_000_000),
        type: "order",
        userId: scene.broker.username,
        appId: "conformance",
      };
      for (const given of [properties, {}, { contentType: "" }]) {
        await channel.basicPublish({ exchange: "", routingKey: queue, properties: given, body: bytes("x") });
        same((await channel.basicGet({ queue, noAck: true }))?.properties, given, "the properties");
      }
      const encoded = encodeProperties(properties);
      await channel.basicPublish({ exchange: "", routingKey: queue, properties: encoded, body: bytes("x") });
      same((await channel.basicGet({ queue, noAck: true }))?.properties, properties, "properties encoded beforehand");
    },
  },
  {
    name: "a message says where it came from",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await channel.queueBind({ queue, exchange: "amq.topic", routingKey: `${queue}.#` });
      await channel.basicPublish({ exchange: "amq.topic", routingKey: `${queue}.created`, body: bytes("x") });
      const message = await channel.basicGet({ queue, noAck: true });
      like(message?.exchange, "amq.topic", "the exchange");
      like(message?.routingKey, `${queue}.created`, "the routing key");
    },
  },
  {
    name: "mandatory messages that nobody takes come back, in order, whole",
    async run(scene) {
      const { channel } = await scene.open();
      const returned: ReturnedMessage[] = [];
      channel.on("return", (message) => returned.push(message));
      const nowhere = scene.name("nowhere");
      for (let i = 0; i < 3; i += 1) {
        await publishTo(channel, nowhere, `${i}`, { mandatory: true, properties: { messageId: `m${i}` } });
        await publishTo(channel, nowhere, "dropped", {});
      }
      await scene.until(() => returned.length === 3, "all three to come back");
      same(returned.map(text), ["0", "1", "2"], "the bodies");
      same(
        returned.map(({ properties }) => properties.messageId),
        ["m0", "m1", "m2"],
        "the properties",
      );
      like(returned[0], { replyCode: 312, replyText: "NO_ROUTE", exchange: "", routingKey: nowhere }, "the first");
    },
  },
  {
    name: "mandatory messages that are taken do not come back",
    async run(scene) {
      const { channel } = await scene.open();
      const returned: ReturnedMessage[] = [];
      channel.on("return", (message) => returned.push(message));
      const queue = await scene.queue(channel);
      await publishTo(channel, queue, "taken", { mandatory: true });
      same(await scene.drain(channel, queue), ["taken"], "what arrived");
      same(returned, [], "what came back");
    },
  },
  {
    name: "to an exchange that does not exist closes the channel with 404",
    async run(scene) {
      const { connection, channel } = await scene.open();
      await channel.basicPublish({ exchange: scene.name("none"), routingKey: "", body: bytes("x") });
      const error = await scene.soon(channel.closed, "the channel to be closed");
      like(error, { name: "ChannelError", replyCode: 404, method: "basic.publish" }, "the reason");
      same(connection.state, "open", "the connection's state");
    },
  },
  {
    name: "CC and BCC headers route copies, and BCC is not seen",
    async run(scene) {
      const { channel } = await scene.open();
      const [to, cc, bcc] = [await scene.queue(channel), await scene.queue(channel), await scene.queue(channel)];
      await publishTo(channel, to, "copied", { properties: { headers: { CC: [cc], BCC: [bcc] } } });
      for (const queue of [to, cc, bcc]) {
        const message = await channel.basicGet({ queue, noAck: true });
        same(text(message), "copied", "the copy");
        same(message?.properties.headers?.["CC"], [cc], "CC");
        same(message?.properties.headers?.["BCC"], undefined, "BCC");
      }
    },
  },
  {
    name: "as somebody else is refused",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await publishTo(channel, queue, "x", { properties: { userId: "somebody-else" } });
      like(await scene.soon(channel.closed, "the channel to be closed"), { replyCode: 406 }, "the reason");
    },
  },
];

function publishTo(channel: Channel, queue: string, body: string, more: object): Promise<void> {
  return channel.basicPublish({ exchange: "", routingKey: queue, body: bytes(body), ...more });
}

/** Bytes that tell where they belong. */
function pattern(size: number): Uint8Array {
  const made = new Uint8Array(size);
  for (let i = 0; i < size; i += 1) made[i] = (i * 31 + (i >>> 8)) & 0xff;
  return made;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  return a.findIndex((byte, i) => byte !== b[i]);
}
