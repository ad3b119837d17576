/**
 * What encoding and decoding cost without any socket: nanoseconds of CPU per message, ours and amqplib's.
 *
 *     node --conditions=@leveret/source bench/codec.ts [regular expression over the names]
 *
 * Of amqplib it runs the code that `Connection.sendMessage` and `Connection.recvFrame` run, behind a stream that does nothing.
 */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  type BasicProperties,
  decodeContentHeader,
  decodeDeliver,
  encodeProperties,
  FrameReader,
  frameType,
  methodId,
  Output,
  ShortStrings,
  writeAck,
  writeDeliver,
  writePublish,
} from "@leveret/core/wire";

const rounds = 9;
const roundMicroseconds = 300_000;
const frameMax = 131_072;
const messagesPerTurn = 500;

const exchange = "orders";
const routingKey = "orders.created";
const body16 = Buffer.alloc(16, 0x61);
const body1k = Buffer.alloc(1024, 0x61);

const fiveProperties: BasicProperties = {
  contentType: "application/json",
  headers: { tenant: "acme", attempt: 3, traced: true },
  deliveryMode: 2,
  correlationId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  timestamp: new Date(1_700_000_000_000),
};

interface Measurement {
  readonly name: string;
  /** Runs the operation `count` times. */
  run(count: number): void;
}

// amqplib, from inside its package: what follows is not its public interface.

const require = createRequire(import.meta.url);
const amqplib = join(dirname(require.resolve("amqplib")), "lib");
const amqplibDefs = require(join(amqplib, "defs.js"));
const amqplibFrame = require(join(amqplib, "frame.js"));
const { Connection } = require(join(amqplib, "connection.js"));

function amqplibPublish(name: string, body: Buffer, properties: object): Measurement {
  const sender = {
    channels: [undefined, { buffer: { write: () => true } }],
    sentSinceLastCheck: false,
    frameMax,
    sendContent: Connection.prototype.sendContent,
  };
  const send = Connection.prototype.sendMessage;
  const fields = { exchange, routingKey, mandatory: false, immediate: false, ticket: 0 };
  return {
    name: `amqplib ${name}`,
    run(count) {
      for (let i = 0; i < count; i++) {
        send.call(sender, 1, amqplibDefs.BasicPublish, fields, amqplibDefs.BasicProperties, properties, body);
      }
    },
  };
}

function amqplibDecode(name: string, chunk: Buffer, messages: number): Measurement {
  return {
    name: `amqplib ${name}`,
    run(count) {
      for (let done = 0; done < count; done += messages) {
        let rest = chunk;
        for (;;) {
          const frame = amqplibFrame.parseFrame(rest, frameMax);
          if (!frame) break;
          rest = frame.rest;
          keep(amqplibFrame.decodeFrame(frame));
        }
      }
    },
  };
}

// Leveret

let kept: unknown;

/** Keeps a result alive for a moment, so that making it cannot be optimised away. */
function keep(value: unknown): void {
  kept = value;
}

function publish(
  name: string,
  body: Uint8Array,
  properties?: BasicProperties | ReturnType<typeof encodeProperties>,
): Measurement {
  const out = new Output();
  return {
    name: `leveret ${name}`,
    run(count) {
      for (let i = 0; i < count; i++) {
        writePublish(out, 1, { exchange, routingKey, properties, body }, frameMax);
        if (i % messagesPerTurn === 0) keep(out.take());
      }
      keep(out.take());
    },
  };
}

const ack: Measurement = {
  name: "leveret encode ack",
  run(count) {
    const out = new Output();
    for (let i = 0; i < count; i++) {
      writeAck(out, 1, i, false);
      if (i % messagesPerTurn === 0) keep(out.take());
    }
  },
};

function decode(name: string, chunk: Buffer, messages: number): Measurement {
  const strings = new ShortStrings();
  const reader = new FrameReader(frameMax);
  return {
    name: `leveret ${name}`,
    run(count) {
      for (let done = 0; done < count; done += messages) {
        reader.append(chunk);
        while (reader.next()) {
          const { bytes, start, end } = reader;
          if (reader.type === frameType.method) {
            if (methodId(bytes, start) === 0x003c_003c) keep(decodeDeliver(bytes, start, end, strings));
          } else if (reader.type === frameType.header) {
            keep(decodeContentHeader(bytes, start, end));
          } else {
            keep(bytes.subarray(start, end));
          }
        }
      }
    },
  };
}

/** Deliveries that fill a chunk of 64 KiB, as a socket reads it. */
function deliveries(body: Uint8Array, properties?: BasicProperties): { chunk: Buffer; messages: number } {
  const out = new Output();
  let messages = 0;
  while (out.size < 64 * 1024) {
    messages++;
    const deliveryTag = messages;
    const consumerTag = "amq.ctag-8T2v0rVhZcGkYq3bqgO9lg";
    writeDeliver(
      out,
      1,
      { consumerTag, deliveryTag, redelivered: false, exchange, routingKey, properties, body },
      frameMax,
    );
  }
  return { chunk: Buffer.concat(out.take()), messages };
}

function medianCost(measurement: Measurement): { median: number; least: number; most: number } {
  const batch = 20_000;
  const costs: number[] = [];
  for (let round = -2; round < rounds; round++) {
    let operations = 0;
    const before = process.cpuUsage();
    let used = 0;
    while (used < roundMicroseconds) {
      measurement.run(batch);
      operations += batch;
      const { user, system } = process.cpuUsage(before);
      used = user + system;
    }
    // The first rounds warm up.
    if (round >= 0) costs.push((used * 1000) / operations);
  }
  costs.sort((a, b) => a - b);
  return { median: costs[rounds >> 1]!, least: costs[0]!, most: costs[rounds - 1]! };
}

const small = deliveries(body16);
const rich = deliveries(body16, fiveProperties);
const kib = deliveries(body1k);
const amqplibProperties = {
  contentType: "application/json",
  headers: { tenant: "acme", attempt: 3, traced: true },
  deliveryMode: 2,
  correlationId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  timestamp: 1_700_000_000,
};

const measurements: readonly Measurement[] = [
  publish("encode 16 B", body16),
  amqplibPublish("encode 16 B", body16, { headers: {} }),
  publish("encode 16 B, 5 properties", body16, fiveProperties),
  publish("encode 16 B, 5 properties encoded once", body16, encodeProperties(fiveProperties)),
  amqplibPublish("encode 16 B, 5 properties", body16, amqplibProperties),
  publish("encode 1 KiB", body1k),
  amqplibPublish("encode 1 KiB", body1k, { headers: {} }),
  ack,
  decode("decode 16 B", small.chunk, small.messages),
  amqplibDecode("decode 16 B", small.chunk, small.messages),
  decode("decode 16 B, 5 properties left encoded", rich.chunk, rich.messages),
  amqplibDecode("decode 16 B, 5 properties", rich.chunk, rich.messages),
  decode("decode 1 KiB", kib.chunk, kib.messages),
  amqplibDecode("decode 1 KiB", kib.chunk, kib.messages),
];

const wanted = new RegExp(process.argv[2] ?? "");
for (const measurement of measurements) {
  if (!wanted.test(measurement.name)) continue;
  const { median, least, most } = medianCost(measurement);
  const cost = `${median.toFixed(0).padStart(6)} ns`;
  console.log(`${measurement.name.padEnd(50)} ${cost}  (${least.toFixed(0)}–${most.toFixed(0)})`);
}
if (kept === measurements) console.log();
