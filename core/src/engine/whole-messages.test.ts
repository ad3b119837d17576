/** The short cut of messages that lie whole in one chunk does what the frame reader and the assembler do frame by frame. */

import fc from "fast-check";
import { expect, it } from "vitest";
import type { ConnectionEvent } from "./events.ts";
import type { EngineCounters } from "./frame-writer.ts";
import { Driver } from "./testing/driver.ts";
import { ServerBytes } from "./testing/server.ts";

const frameMax = 4096;

const message = fc.record({
  channel: fc.integer({ min: 1, max: 3 }),
  fields: fc.record({
    consumerTag: fc.constantFrom("", "a", "b", "a-longer-consumer-tag"),
    deliveryTag: fc.nat(2 ** 40),
    redelivered: fc.boolean(),
    exchange: fc.constantFrom("", "orders", "x".repeat(200)),
    routingKey: fc.constantFrom("", "key", "other", "y".repeat(100)),
  }),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ minLength: 500, maxLength: 600, size: "max" }),
    fc.uint8Array({ minLength: 4000, maxLength: 4200, size: "max" }),
  ),
  properties: fc.constantFrom({}, { type: "order" }, { headers: { attempt: 3, text: "z".repeat(100) }, priority: 1 }),
});

/** What becomes of one octet: most messages stay as they are. */
const damage = fc.option(fc.record({ at: fc.nat(), value: fc.nat(255) }), { freq: 3 });

function driver(frameByFrame: boolean, cheapArraySize: number): Driver {
  const tap = frameByFrame ? { tap: () => {} } : {};
  const made = new Driver({ limits: { maxBodySize: 4150 }, cheapArraySize, ...tap }).open({ frameMax });
  made.channel();
  made.channel();
  return made;
}

/** Everything there is to know of the events, of what is sent back, and of the counters. */
function outcome(
  frameByFrame: boolean,
  chunks: readonly Uint8Array[],
  cheapArraySize = 0,
): [unknown[], number, EngineCounters] {
  const made = driver(frameByFrame, cheapArraySize);
  const memory = new Uint8Array(Math.max(...chunks.map(({ length }) => length)));
  const events = chunks.flatMap((chunk) => {
    if (made.engine.state === "closed") return [];
    // The memory of a chunk is only lent, and the next one may be in it.
    const lent = memory.subarray(0, chunk.length);
    lent.set(chunk);
    const got = made.receive(lent);
    made.engine.detachInput();
    lent.fill(255);
    return got;
  });
  return [events.map(shown), made.engine.outputSize, { ...made.engine.counters, bytesReceived: 0 }];
}

function shown(event: ConnectionEvent): unknown {
  if (event.type === "basic.deliver") {
    const { content, ...rest } = event;
    return { ...rest, body: [...content.body], properties: attempt(() => content.properties) };
  }
  if (event.type === "closed") return { type: event.type, code: event.error?.code, message: event.error?.message };
  return { ...event, requests: undefined, error: undefined };
}

function attempt(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}

it("gives the same events for the same bytes", () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), damage, fc.nat(), (messages, broken, cut) => {
      const server = new ServerBytes(frameMax);
      for (const { channel, fields, body, properties } of messages) {
        server.method(channel, "basic.deliver", fields).content(channel, body, properties);
      }
      const bytes = server.take();
      if (broken !== null) bytes[broken.at % bytes.length] = broken.value;
      const at = cut % bytes.length;
      const plain = outcome(true, [bytes]);
      expect(outcome(false, [bytes])).toEqual(plain);
      expect(outcome(false, [bytes], 36)).toEqual(plain);
      expect(outcome(false, [bytes.subarray(0, at), bytes.subarray(at)])[0]).toEqual(plain[0]);
    }),
    { numRuns: 500 },
  );
});

it("takes no message for one that was in the same array before", () => {
  const made = driver(false, 0);
  const write = (value: number, before: number): Uint8Array => {
    const server = new ServerBytes(frameMax);
    for (let count = 0; count < before; count += 1) server.heartbeat();
    const fields = { consumerTag: "a", deliveryTag: value, redelivered: false, exchange: "", routingKey: "key" };
    server.method(1, "basic.deliver", fields).content(1, new Uint8Array(600).fill(value));
    for (let count = before; count < 10; count += 1) server.heartbeat();
    return server.take();
  };
  const chunk = write(1, 0);
  const bodies = [2, 3, 4].flatMap((value) => {
    const events = made.receive(chunk);
    chunk.set(write(value, 2 * value));
    return events.map((event) => (event.type === "basic.deliver" ? event.content.body : undefined));
  });
  expect(bodies).toEqual([1, 2, 3].map((value) => new Uint8Array(600).fill(value)));
});

it("copies the messages of a chunk together, up to 64 KiB of them", () => {
  const made = driver(false, 0);
  const buffersOf = (events: readonly ConnectionEvent[]): ArrayBufferLike[] =>
    events.flatMap((event) => (event.type === "basic.deliver" ? [event.content.body.buffer] : []));
  const fields = { consumerTag: "a", deliveryTag: 1, redelivered: false, exchange: "", routingKey: "key" };
  const buffers = buffersOf(
    made.serve((server) => {
      for (let count = 0; count < 50; count += 1)
        server.method(1, "basic.deliver", fields).content(1, new Uint8Array(2000));
    }),
  );
  expect(buffers.length).toBe(50);
  expect(new Set(buffers).size).toBe(2);
  expect(buffers[0]?.byteLength).toBe(65_536);
  const [alone] = buffersOf(
    made.serve((server) => server.method(1, "basic.deliver", fields).content(1, new Uint8Array(2000))),
  );
  expect(alone?.byteLength).toBeLessThan(2100);
});
