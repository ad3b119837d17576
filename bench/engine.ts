/**
 * What the engine costs without any socket: nanoseconds of CPU per message, event or command.
 *
 *     node --conditions=@leveret/source bench/engine.ts [regular expression over the names]
 *
 * The bytes of the server are prepared; everything from `receive` to the event in the driver's hand is counted, and
 * everything from a command to the bytes of `takeOutput`.
 */

import { type ChannelEngine, ConnectionEngine, plain } from "@leveret/core";
import { Output, writeDeliver, writeMethod } from "@leveret/core/wire";
import { type Measurement, report } from "./measure.ts";

const frameMax = 131_072;
const chunkSize = 64 * 1024;
const messagesPerTurn = 500;
const publication = { exchange: "orders", routingKey: "orders.created" };

let kept: unknown;

/** Keeps a result alive for a moment, so that making it cannot be optimised away. */
function keep(value: unknown): void {
  kept = value;
}

function drain(engine: ConnectionEngine): number {
  let events = 0;
  for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent()) {
    keep(event);
    events += 1;
  }
  return events;
}

/** An engine with an open channel, and what a server would have said until then. */
function openChannel(confirms: boolean): { engine: ConnectionEngine; channel: ChannelEngine } {
  const limits = { maxUnconfirmed: Number.MAX_SAFE_INTEGER };
  const engine = new ConnectionEngine({ mechanisms: [plain("guest", "guest")], heartbeat: 0, limits }, 0);
  const server = new Output();
  const answer = (): void => {
    for (const bytes of server.take()) engine.receive(Buffer.from(bytes), 0);
    drain(engine);
    keep(engine.takeOutput());
  };
  const mechanisms = Buffer.from("PLAIN");
  const start = { versionMajor: 0, versionMinor: 9, serverProperties: {}, mechanisms, locales: Buffer.from("en_US") };
  writeMethod(server, 0, "connection.start", start, 0);
  writeMethod(server, 0, "connection.tune", { channelMax: 2047, frameMax, heartbeat: 0 }, 0);
  writeMethod(server, 0, "connection.open-ok", {}, 0);
  answer();
  const channel = engine.openChannel();
  writeMethod(server, 1, "channel.open-ok", {}, 0);
  answer();
  if (confirms) {
    channel.request("confirm.select", {});
    writeMethod(server, 1, "confirm.select-ok", {}, 0);
    answer();
  }
  return { engine, channel };
}

/** A chunk of deliveries, as a socket reads it, again and again. */
function deliver(
  name: string,
  body: Uint8Array,
  properties?: { contentType: string; deliveryMode: number },
): Measurement {
  const { engine } = openChannel(false);
  const server = new Output();
  for (let deliveryTag = 1; server.size < chunkSize; deliveryTag += 1) {
    const consumerTag = "amq.ctag-8T2v0rVhZcGkYq3bqgO9lg";
    const delivery = { ...publication, consumerTag, deliveryTag, redelivered: false, properties, body };
    writeDeliver(server, 1, delivery, frameMax);
  }
  const chunk = Buffer.concat(server.take());
  return {
    name,
    run(count) {
      let events = 0;
      while (events < count) {
        engine.receive(chunk, 0);
        events += drain(engine);
      }
      return events;
    },
  };
}

function publish(name: string, body: Uint8Array, confirms: boolean): Measurement {
  const { engine, channel } = openChannel(confirms);
  return {
    name,
    run(count) {
      for (let i = 0; i < count; i += 1) {
        channel.publish({ ...publication, body });
        if (i % messagesPerTurn === 0) keep(engine.takeOutput());
      }
      keep(engine.takeOutput());
      drain(engine);
      return count;
    },
  };
}

/** Confirms of publishes that were made before the clock runs: an ack each, or one for many. */
function settled(name: string, multiple: number): Measurement {
  let engine: ConnectionEngine;
  let chunks: readonly Uint8Array[];
  return {
    name,
    prepare(count) {
      const made = openChannel(true);
      engine = made.engine;
      const body = new Uint8Array(16);
      const server = new Output({ segmentSize: chunkSize });
      for (let sequence = 1; sequence <= count; sequence += 1) {
        made.channel.publish({ ...publication, body });
        if (sequence % messagesPerTurn === 0) keep(engine.takeOutput());
        if (sequence % multiple > 0) continue;
        writeMethod(server, 1, "basic.ack", { deliveryTag: sequence, multiple: multiple > 1 }, frameMax);
      }
      chunks = server.take();
    },
    run(count) {
      for (const bytes of chunks) {
        engine.receive(bytes, 0);
        drain(engine);
      }
      return count;
    },
  };
}

function ack(): Measurement {
  const { engine, channel } = openChannel(false);
  return {
    name: "ack",
    run(count) {
      for (let i = 1; i <= count; i += 1) {
        channel.ack(i, false);
        if (i % messagesPerTurn === 0) keep(engine.takeOutput());
      }
      keep(engine.takeOutput());
      return count;
    },
  };
}

report([
  deliver("deliver 16 B", Buffer.alloc(16, 0x61)),
  deliver("deliver 16 B, 2 properties left encoded", Buffer.alloc(16, 0x61), {
    contentType: "application/json",
    deliveryMode: 2,
  }),
  deliver("deliver 1 KiB", Buffer.alloc(1024, 0x61)),
  publish("publish 16 B", Buffer.alloc(16, 0x61), false),
  publish("publish 16 B with confirms", Buffer.alloc(16, 0x61), true),
  publish("publish 1 KiB", Buffer.alloc(1024, 0x61), false),
  settled("settled, an ack each", 1),
  settled("settled, an ack for 50", 50),
  ack(),
]);
if (kept === report) console.log();
