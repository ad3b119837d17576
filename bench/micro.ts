/**
 * What the codec costs by itself: encoding and decoding of messages, over a `wire` that is handed in, so that two
 * revisions of it can be compared.
 */

import type * as Wire from "@leveret/core/wire";
import type { Measurement } from "./measure.ts";

type Properties = Wire.BasicProperties;

export const frameMax = 131_072;
const messagesPerTurn = 500;
/** As a socket reads it. */
const chunkSize = 64 * 1024;
const deliverId = 0x003c_003c;
export const exchange = "orders";
export const routingKey = "orders.created";

export const body16: Buffer = Buffer.alloc(16, 0x61);
export const body1k: Buffer = Buffer.alloc(1024, 0x61);
export const fiveProperties: Properties = {
  contentType: "application/json",
  headers: { tenant: "acme", attempt: 3, traced: true },
  deliveryMode: 2,
  correlationId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  timestamp: new Date(1_700_000_000_000),
};

let kept: unknown;

/** Keeps a result alive for a moment, so that making it cannot be optimised away. */
export function keep(value: unknown): void {
  kept = value;
  if (kept === keep) throw new Error("nobody keeps this");
}

export function codecMeasurements(wire: typeof Wire): Measurement[] {
  const small = deliveries(wire, body16);
  const rich = deliveries(wire, body16, fiveProperties);
  const kib = deliveries(wire, body1k);
  return [
    publish(wire, "encode 16 B", body16),
    publish(wire, "encode 16 B, 5 properties", body16, fiveProperties),
    publish(wire, "encode 16 B, 5 properties encoded once", body16, wire.encodeProperties(fiveProperties)),
    publish(wire, "encode 1 KiB", body1k),
    ack(wire),
    decode(wire, "decode 16 B", small),
    decode(wire, "decode 16 B, 5 properties left encoded", rich),
    decode(wire, "decode 1 KiB", kib),
  ];
}

function publish(
  { Output, writePublish }: typeof Wire,
  name: string,
  body: Uint8Array,
  properties?: Properties | ReturnType<typeof Wire.encodeProperties>,
): Measurement {
  const out = new Output();
  return {
    name,
    run(count) {
      for (let i = 0; i < count; i += 1) {
        writePublish(out, 1, { exchange, routingKey, properties, body }, frameMax);
        if (i % messagesPerTurn === 0) keep(out.take());
      }
      keep(out.take());
      return count;
    },
  };
}

function ack({ Output, writeAck }: typeof Wire): Measurement {
  const out = new Output();
  return {
    name: "encode ack",
    run(count) {
      for (let i = 0; i < count; i += 1) {
        writeAck(out, 1, i, false);
        if (i % messagesPerTurn === 0) keep(out.take());
      }
      keep(out.take());
      return count;
    },
  };
}

export interface Chunk {
  readonly bytes: Buffer;
  readonly messages: number;
}

function decode(wire: typeof Wire, name: string, { bytes: chunk, messages }: Chunk): Measurement {
  const { FrameReader, frameType, methodId, decodeDeliver, decodeContentHeader, ShortStrings } = wire;
  const strings = new ShortStrings();
  const reader = new FrameReader(frameMax);
  return {
    name,
    run(count) {
      let done = 0;
      for (; done < count; done += messages) {
        reader.append(chunk);
        while (reader.next()) {
          const { bytes, start, end } = reader;
          if (reader.type === frameType.method) {
            if (methodId(bytes, start) === deliverId) keep(decodeDeliver(bytes, start, end, strings));
          } else if (reader.type === frameType.header) {
            keep(decodeContentHeader(bytes, start, end));
          } else {
            keep(bytes.subarray(start, end));
          }
        }
      }
      return done;
    },
  };
}

export function deliveries({ Output, writeDeliver }: typeof Wire, body: Uint8Array, properties?: Properties): Chunk {
  const out = new Output();
  const consumerTag = "amq.ctag-8T2v0rVhZcGkYq3bqgO9lg";
  let messages = 0;
  while (out.size < chunkSize) {
    messages += 1;
    const envelope = { consumerTag, deliveryTag: messages, redelivered: false, exchange, routingKey };
    writeDeliver(out, 1, { ...envelope, properties, body }, frameMax);
  }
  return { bytes: Buffer.concat(out.take()), messages };
}
