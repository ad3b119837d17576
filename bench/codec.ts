/**
 * What encoding and decoding cost without any socket: nanoseconds of CPU per message, ours and amqplib's.
 *
 *     node --conditions=@leveret/source bench/codec.ts [regular expression over the names]
 *
 * Of amqplib it runs the code that `Connection.sendMessage` and `Connection.recvFrame` run, behind a stream that does nothing.
 */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as wire from "@leveret/core/wire";
import { type Measurement, report } from "./measure.ts";
import {
  body16,
  body1k,
  type Chunk,
  codecMeasurements,
  deliveries,
  exchange,
  fiveProperties,
  frameMax,
  keep,
  routingKey,
} from "./micro.ts";

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
      return count;
    },
  };
}

function amqplibDecode(name: string, { bytes, messages }: Chunk): Measurement {
  return {
    name: `amqplib ${name}`,
    run(count) {
      let done = 0;
      for (; done < count; done += messages) {
        let rest = bytes;
        for (;;) {
          const frame = amqplibFrame.parseFrame(rest, frameMax);
          if (!frame) break;
          rest = frame.rest;
          keep(amqplibFrame.decodeFrame(frame));
        }
      }
      return done;
    },
  };
}

const amqplibProperties = {
  ...fiveProperties,
  timestamp: 1_700_000_000,
};
const small = deliveries(wire, body16);
const rich = deliveries(wire, body16, fiveProperties);
const kib = deliveries(wire, body1k);

report([
  ...codecMeasurements(wire),
  amqplibPublish("encode 16 B", body16, { headers: {} }),
  amqplibPublish("encode 16 B, 5 properties", body16, amqplibProperties),
  amqplibPublish("encode 1 KiB", body1k, { headers: {} }),
  amqplibDecode("decode 16 B", small),
  amqplibDecode("decode 16 B, 5 properties", rich),
  amqplibDecode("decode 1 KiB", kib),
]);
