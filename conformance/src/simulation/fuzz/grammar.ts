/** Streams that a peer could send: well-formed to the last bit, though not always sensible. */

import {
  type Arguments,
  encodeText,
  type FieldTable,
  type FieldValue,
  type FieldType,
  type MethodDefinition,
  type MethodName,
  methods,
  Output,
  protocolHeader,
  writeContent,
  writeHeartbeat,
  writeMethod,
} from "@leveret/core/wire";
import { concat } from "../../broker/codec/octets.ts";
import type { Random } from "../random.ts";

const names = Object.keys(methods) as MethodName[];
const fromClient = names.filter((name) => methods[name].from !== "server");
const fromServer = names.filter((name) => methods[name].from !== "client");

/** What a stream may go on with, beside single methods: a method with its content. */
const largestBody = 9000;
const longestStream = 16;
const channels: readonly [number, ...number[]] = [1, 1, 1, 2, 2, 3, 0];
const texts: readonly [string, ...string[]] = [
  "",
  "q",
  "q",
  "r",
  "c",
  "/",
  "amq.direct",
  "amq.topic",
  "amq.headers",
  "amq.rabbitmq.reply-to",
  "a.*.#",
  "direct",
  "fanout",
  "topic",
  "headers",
  "\u{1f407}",
  "x".repeat(255),
];
const numbers: readonly [number, ...number[]] = [0, 1, 2, 3, 10, 200, 255];

/** A stream of the client's: the handshake, two channels, and then whatever. */
export function clientStream(random: Random): Uint8Array {
  const frames: Uint8Array[] = [protocolHeader];
  const say = <M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void => {
    frames.push(method(channel, name, fields));
  };
  say(0, "connection.start-ok", {
    clientProperties: {
      capabilities: {
        consumer_cancel_notify: true,
        "connection.blocked": true,
        authentication_failure_close: random.chance(0.5),
      },
    },
    mechanism: "PLAIN",
    response: encodeText("\0guest\0guest"),
    locale: "en_US",
  });
  say(0, "connection.tune-ok", { channelMax: 2047, frameMax: 131_072, heartbeat: random.pick([0, 1, 60]) });
  say(0, "connection.open", { virtualHost: "/" });
  say(1, "channel.open", {});
  say(2, "channel.open", {});
  say(1, "queue.declare", { queue: "q", durable: true, arguments: table(random) });
  if (random.chance(0.5)) say(2, "confirm.select", {});
  for (let left = random.int(0, longestStream); left > 0; left -= 1) frames.push(...clientFrames(random));
  return concat(frames);
}

/** Some frames that a client may send once it is connected. */
export function clientFrames(random: Random): readonly Uint8Array[] {
  return anyFrames(random, fromClient, "basic.publish");
}

/** A stream of the server's, to an engine that opens two channels and asks for this and that. */
export function serverStream(random: Random): Uint8Array {
  const frames: Uint8Array[] = [];
  const say = <M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void => {
    frames.push(method(channel, name, fields));
  };
  say(0, "connection.start", {
    versionMajor: 0,
    versionMinor: 9,
    serverProperties: { product: "RabbitMQ", capabilities: { publisher_confirms: true } },
    mechanisms: encodeText("PLAIN AMQPLAIN"),
    locales: encodeText("en_US"),
  });
  say(0, "connection.tune", { channelMax: 2047, frameMax: 131_072, heartbeat: random.pick([0, 1, 60]) });
  say(0, "connection.open-ok", {});
  say(1, "channel.open-ok", {});
  say(2, "channel.open-ok", {});
  const answers = [
    () => say(1, "confirm.select-ok", {}),
    () => say(1, "queue.declare-ok", { queue: "q", messageCount: 1, consumerCount: 0 }),
    () => say(2, "basic.consume-ok", { consumerTag: "c" }),
    () =>
      frames.push(
        method(2, "basic.get-ok", {
          deliveryTag: 1,
          redelivered: false,
          exchange: "",
          routingKey: "q",
          messageCount: 0,
        }),
        ...content(random, 2),
      ),
  ];
  for (const answer of answers) if (random.chance(0.8)) answer();
  for (let left = random.int(0, longestStream); left > 0; left -= 1) frames.push(...serverFrames(random));
  return concat(frames);
}

/** Some frames that a server may send once a client is connected. */
export function serverFrames(random: Random): readonly Uint8Array[] {
  return anyFrames(random, fromServer, random.pick(["basic.deliver", "basic.return"]));
}

function anyFrames(random: Random, senders: readonly MethodName[], carrier: MethodName): readonly Uint8Array[] {
  const channel = random.pick(channels);
  if (random.chance(0.05)) return [heartbeat()];
  if (random.chance(0.3)) return [anyMethod(random, channel, carrier), ...content(random, channel)];
  return [anyMethod(random, channel, random.pick(senders) as MethodName)];
}

function method<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): Uint8Array {
  const output = new Output();
  writeMethod(output, channel, name, fields, 0);
  return concat(output.take());
}

function anyMethod(random: Random, channel: number, name: MethodName): Uint8Array {
  const { fields }: MethodDefinition = methods[name];
  const visible = Object.entries(fields).filter(([, type]) => !type.startsWith("reserved"));
  const values = Object.fromEntries(visible.map(([field, type]) => [field, value(random, type)]));
  const output = new Output();
  writeMethod(output, channel, name, values as never, 0);
  return concat(output.take());
}

function content(random: Random, channel: number): Uint8Array[] {
  const size = random.int(0, random.chance(0.2) ? largestBody : 40);
  const body = new Uint8Array(size).fill(random.int(0, 255));
  const output = new Output();
  const properties = {
    ...(random.chance(0.5) && { headers: table(random) }),
    ...(random.chance(0.3) && { messageId: random.pick(texts) }),
    ...(random.chance(0.2) && { expiration: random.pick(["0", "10", "-1", "x", ""]) }),
    ...(random.chance(0.2) && { replyTo: random.pick(texts) }),
    ...(random.chance(0.2) && { userId: random.pick(["guest", "x"]) }),
    ...(random.chance(0.2) && { priority: random.int(0, 255) }),
    ...(random.chance(0.2) && { deliveryMode: random.int(0, 3) }),
  };
  writeContent(output, channel, properties, body, random.pick([0, 4096]));
  return [concat(output.take())];
}

function heartbeat(): Uint8Array {
  const output = new Output();
  writeHeartbeat(output);
  return concat(output.take());
}

function value(random: Random, type: FieldType): unknown {
  switch (type) {
    case "bit":
      return random.chance(0.3);
    case "octet":
    case "short":
    case "long":
    case "longlong":
      return random.pick(numbers);
    case "shortstr":
      return random.pick(texts);
    case "longstr":
      return encodeText(random.pick(texts));
    default:
      return table(random);
  }
}

/** Arguments that RabbitMQ knows, with values that it may not like. */
const argumentNames: readonly [string, ...string[]] = [
  "x-message-ttl",
  "x-expires",
  "x-max-length",
  "x-max-length-bytes",
  "x-overflow",
  "x-dead-letter-exchange",
  "x-dead-letter-routing-key",
  "x-max-priority",
  "x-queue-type",
  "x-single-active-consumer",
  "x-delivery-limit",
  "x-priority",
  "x-stream-offset",
  "x-match",
  "alternate-exchange",
  "CC",
  "BCC",
  "x-death",
  "x-unknown",
];

function table(random: Random): FieldTable {
  const entries: [string, FieldValue][] = [];
  for (let left = random.pick([0, 0, 0, 1, 1, 2, 4]); left > 0; left -= 1) {
    entries.push([random.pick(argumentNames), fieldValue(random, 2)]);
  }
  return Object.fromEntries(entries);
}

function fieldValue(random: Random, depth: number): FieldValue {
  const choice = random.int(0, depth > 0 ? 11 : 9);
  switch (choice) {
    case 0:
      return random.pick(numbers);
    case 1:
      return -1;
    case 2:
      return random.pick(texts);
    case 3:
      return random.pick(["quorum", "stream", "classic", "drop-head", "reject-publish", "reject-publish-dlx"]);
    case 4:
      return random.pick(["all", "any", "first", "last", "next", "all-with-x"]);
    case 5:
      return random.chance(0.5);
    case 6:
      return 1.5;
    case 7:
      return 2n ** 60n;
    case 8:
      return Uint8Array.of(1, 2, 3);
    case 9:
      return null;
    case 10:
      return [fieldValue(random, depth - 1), random.pick(texts)];
    default:
      return { nested: fieldValue(random, depth - 1) };
  }
}
