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
  body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 4000, maxLength: 4200, size: "max" })),
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
  const events = chunks.flatMap((chunk) => {
    if (made.engine.state === "closed") return [];
    const got = made.receive(chunk);
    made.engine.detachInput();
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
