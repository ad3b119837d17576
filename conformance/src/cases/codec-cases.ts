/** Values in place of bytes: codecs, and the publishers and consumers that use them. */

import {
  bytesCodec,
  type Codec,
  type CodecError,
  type ConsumerDelivery,
  decodeMessage,
  gzipCodec,
  jsonCodec,
  oneOfCodecs,
  openTypedConsumer,
  openTypedPublisher,
  textCodec,
} from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

interface Order {
  readonly id: number;
  readonly items: readonly string[];
}

const order: Order = { id: 7, items: ["hare", "兎 🐇"] };

/** A codec that is slower for short values. */
const slow: Codec<string> = {
  contentType: "text/x-slow",
  async encode(value) {
    for (let turn = value.length; turn < 20; turn += 1) await Promise.resolve();
    return bytes(value);
  },
  decode: (body) => Promise.resolve(`${text({ body })}!`),
};

export const codecCases: readonly ConformanceCase[] = [
  {
    name: "JSON, text, bytes and gzip go there and back, each with its content type",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const check = async <T>(codec: Codec<T>, value: T, properties: object): Promise<void> => {
        const queue = await scene.queue(channel);
        const publisher = await openTypedPublisher(connection, {
          routingKey: queue,
          codec,
          properties: { appId: "a" },
        });
        await publisher.publish(value, { properties: { type: "t" } });
        const message = await channel.basicGet({ queue, noAck: true });
        ok(message !== undefined, "a message");
        like(message.properties, { deliveryMode: 2, type: "t", appId: "a", ...properties }, "the properties");
        same(await decodeMessage(codec, message), value, "the value");
        await publisher.close();
      };
      await check(jsonCodec<Order>(), order, { contentType: "application/json", contentEncoding: undefined });
      await check(textCodec(), "Häschen", { contentType: "text/plain" });
      await check(bytesCodec("image/png"), Uint8Array.of(0, 255), { contentType: "image/png" });
      const zipped = gzipCodec(jsonCodec<Order>());
      const many: Order = { id: 8, items: Array.from({ length: 10_000 }, () => "hare") };
      await check(zipped, many, { contentType: "application/json", contentEncoding: "gzip" });
      ok((await zipped.encode(many)).length < 1000, "it is packed");
    },
  },
  {
    name: "a consumer's handler gets values, of codecs that work at once and of others",
    async run(scene) {
      for (const codec of [jsonCodec<Order>(), gzipCodec(jsonCodec<Order>())]) {
        const { connection, channel } = await scene.open();
        const queue = await scene.queue(channel);
        const got: [Order, string | undefined][] = [];
        const consumer = await openTypedConsumer(connection, { queue, codec }, (value, { properties }) => {
          got.push([value, properties.type]);
        });
        const publisher = await openTypedPublisher(connection, { routingKey: queue, codec, mandatory: true });
        await publisher.publish(order, { properties: { type: "order" } });
        await scene.until(() => got.length === 1, "the value");
        same(got, [[order, "order"]], "what the handler got");
        await publisher.close();
        await consumer.close();
        same(await scene.left({ connection, channel }, queue), [], "messages in the queue");
      }
    },
  },
  {
    name: "a loop over a consumer gets values, and passes over what is none",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const codec = jsonCodec<number>();
      const publisher = await openTypedPublisher(connection, { routingKey: queue, codec });
      await publisher.publish(1);
      await scene.fill(queue, "not a number");
      await publisher.publishBatch([2, 3]);
      const consumer = await openTypedConsumer(connection, { queue, codec });
      const got: number[] = [];
      for await (const { value, delivery } of consumer) {
        got.push(value);
        delivery.ack();
        if (got.length === 3) break;
      }
      same(got, [1, 2, 3], "the values");
      same(consumer.consumer.state, "ended", "the consumer");
      await consumer.close();
      same(await scene.left({ connection, channel }, queue), [], "messages in the queue");
    },
  },
  {
    name: "a message that is not what it should be is dead-lettered, and the error is reported",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const dead = await scene.queue(channel);
      const deadLettering = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
      const queue = await scene.queue(channel, { arguments: deadLettering });
      const reported: unknown[] = [];
      connection.on("callback-error", ({ error }) => reported.push(error));
      let handled = 0;
      const codec = jsonCodec<Order>();
      await openTypedConsumer(connection, { queue, codec }, () => (handled += 1));
      const json = "application/json";
      const wrong = [
        { contentType: undefined, body: bytes("{}"), code: "CONTENT_MISMATCH" },
        { contentType: "text/plain", body: bytes("{}"), code: "CONTENT_MISMATCH" },
        { contentType: json, contentEncoding: "gzip", body: bytes("{}"), code: "CONTENT_MISMATCH" },
        { contentType: `${json}; charset=utf-16`, body: bytes("{}"), code: "CONTENT_MISMATCH" },
        { contentType: json, body: bytes("secret"), code: "DECODE_FAILED" },
        { contentType: json, body: Uint8Array.of(0x22, 0xff, 0x22), code: "DECODE_FAILED" },
      ];
      for (const { body, code: _, ...properties } of wrong) {
        await channel.basicPublish({ exchange: "", routingKey: queue, properties, body });
      }
      await scene.until(async () => (await scene.messageCount(channel, dead)) === wrong.length, "all to be refused");
      like(
        reported,
        wrong.map(({ code }) => ({ name: "CodecError", code })),
        "what is reported",
      );
      ok(
        reported.every((error) => !String((error as Error).stack).includes("secret")),
        "no error shows a body",
      );
      same(handled, 0, "what the handler got");
      const right = { contentType: "Application/JSON; charset=UTF-8", contentEncoding: "identity" };
      await channel.basicPublish({ exchange: "", routingKey: queue, properties: right, body: bytes("{}") });
      await scene.until(() => handled === 1, "a message that is right in other words");
    },
  },
  {
    name: "a function takes messages that cannot be decoded, and settles them",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const codec = textCodec("text/x-rare");
      const taken: string[] = [];
      const undecodable = (error: CodecError, delivery: ConsumerDelivery): void => {
        taken.push(`${error.code} ${text(delivery)}`);
        if (delivery.redelivered) return;
        throw error;
      };
      const consumer = await openTypedConsumer(connection, { queue, codec, undecodable }, () => {});
      await scene.fill(queue, "plain");
      await scene.until(() => taken.length === 2, "the message, and the message again");
      same(taken, ["CONTENT_MISMATCH plain", "CONTENT_MISMATCH plain"], "what the function got");
      await consumer.close();
      same(await scene.left({ connection, channel }, queue), [], "messages in the queue");
    },
  },
  {
    name: "a message of a stream that cannot be decoded is acknowledged: nothing can be rejected there",
    needs: ["streams"],
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel, { arguments: { "x-queue-type": "stream" } });
      await scene.fill(queue, "a");
      const codec = textCodec();
      const publisher = await openTypedPublisher(connection, { routingKey: queue, codec });
      await publisher.publish("b");
      const got: string[] = [];
      const options = { queue, codec, prefetch: 1, arguments: { "x-stream-offset": "first" } };
      await openTypedConsumer(connection, options, (value) => got.push(value));
      await scene.until(() => got.length === 1, "what can be decoded");
      same([got, channel.state], [["b"], "open"], "what came");
    },
  },
  {
    name: "what cannot be encoded is refused at the call, and nothing is sent",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const refused = { name: "CodecError", code: "ENCODE_FAILED", outcome: "not-sent" };
      const loop: { self?: object } = {};
      loop.self = loop;
      const json = await openTypedPublisher(connection, { routingKey: queue, codec: jsonCodec<unknown>() });
      for (const value of [undefined, 5n, loop, () => {}]) await fails(json.publish(value), refused, "a value");
      await fails(json.publishBatch([1, 2, 5n]), refused, "a batch with one that is wrong");
      const plain = await openTypedPublisher(connection, { routingKey: queue, codec: textCodec() });
      await fails(plain.publish("\ud800"), refused, "half a character");
      await fails(plain.publish(5 as never), refused, "a number");
      const zipped = await openTypedPublisher(connection, { routingKey: queue, codec: gzipCodec(textCodec()) });
      await fails(zipped.publish("\ud800"), refused, "half a character, to be packed");
      for (const one of [json, plain, zipped]) await one.close();
      same(await scene.left({ connection, channel }, queue), [], "messages in the queue");
    },
  },
  {
    name: "values leave in the order of the calls, however long their encoding takes",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const publisher = await openTypedPublisher(connection, { routingKey: queue, codec: slow });
      const values = ["a", "bb", "ccccccccccccc", "d", "eeeeeeeeeeeeeeeeeeeeeeeeee", "f"];
      for (const value of values) void publisher.publish(value);
      await publisher.flush();
      same(await scene.drain(channel, queue), values, "what arrived, in order");
      const consumer = await openTypedConsumer(connection, { queue, codec: slow });
      await publisher.publish("g");
      like(await consumer.take({ timeout: 30_000 }), { value: "g!" }, "a value of a codec that takes its time");
      same(await consumer.take({ timeout: 20 }), undefined, "what comes then");
      await publisher.publish("h");
      like(await consumer.take({ timeout: 30_000 }), { value: "h!" }, "the next value");
    },
  },
  {
    name: "a codec of several decodes whichever fits, and encodes with the first",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const parse = (value: unknown): Order => {
        if (typeof value !== "object" || value === null || !("id" in value)) throw new TypeError("not an order");
        return value as Order;
      };
      const json = jsonCodec({ parse });
      const both = oneOfCodecs(gzipCodec(json), json);
      for (const codec of [both, json]) {
        const publisher = await openTypedPublisher(connection, { routingKey: queue, codec });
        await publisher.publish(order);
        await publisher.close();
      }
      const encodings: (string | undefined)[] = [];
      let sum = 0;
      await openTypedConsumer(connection, { queue, codec: both, concurrency: 1 }, ({ id }, { properties }) => {
        encodings.push(properties.contentEncoding);
        sum += id;
      });
      await scene.until(() => encodings.length === 2, "both");
      same([encodings, sum], [["gzip", undefined], 14], "how they were packed");
      const message = { body: bytes("[]"), properties: { contentType: "application/json" } };
      await fails(
        (async () => decodeMessage(both, message))(),
        { code: "DECODE_FAILED", cause: { name: "TypeError" } },
        "what the schema refuses",
      );
    },
  },
  {
    name: "a small message that unpacks to a large one is refused",
    async run() {
      const codec = gzipCodec(bytesCodec(), { maxSize: 100_000 });
      const bomb = await codec.encode(new Uint8Array(10_000_000));
      ok(bomb.length < 20_000, "it is small");
      const refused = { name: "CodecError", code: "DECODE_FAILED", cause: { code: "LIMIT_REACHED" } };
      await fails(Promise.resolve(codec.decode(bomb)), refused, "unpacking");
      const damaged = { name: "CodecError", code: "DECODE_FAILED" };
      await fails(Promise.resolve(codec.decode(bytes("not packed"))), damaged, "something else");
      await fails(Promise.resolve(codec.decode(bomb.subarray(0, 50))), damaged, "a part of it");
    },
  },
];
