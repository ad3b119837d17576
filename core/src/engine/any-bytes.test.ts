/** Whatever a server sends, and however the network cuts it: what an engine makes of it is the same, and it never breaks. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joined } from "../wire/bytes.ts";
import type { MethodName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import { ConnectionEngine } from "./connection-engine.ts";
import type { ConnectionEvent } from "./events.ts";
import { plain } from "./sasl.ts";
import { start, tune } from "./testing/driver.ts";
import { sampleFields } from "./testing/sample-fields.ts";
import { ServerBytes } from "./testing/server.ts";

const published = 20;
const limits = { maxBodySize: 200_000 };

/** What came out of an engine. */
interface Outcome {
  /** Each event, and all that it says. */
  readonly events: readonly unknown[];
  readonly output: Uint8Array;
}

/** A driver without a choice: it does the same at the same event, so that only the bytes decide what happens. */
class Puppet {
  readonly engine = new ConnectionEngine({ mechanisms: [plain("u", "p")], limits }, 0);
  readonly events: ConnectionEvent[] = [];
  readonly #output: Uint8Array[] = [];

  /** Hands chunks over, and scribbles over each when the engine has handled it. */
  run(chunks: Iterable<Uint8Array>): this {
    for (const chunk of chunks) {
      const borrowed = chunk.slice();
      this.engine.receive(borrowed, 0);
      this.#drain();
      borrowed.fill(0xee);
    }
    return this;
  }

  hangUp(): this {
    this.engine.transportClosed(0);
    this.#drain();
    return this;
  }

  get outcome(): Outcome {
    return { events: this.events.map(describeEvent), output: joined(this.#output) };
  }

  #drain(): void {
    for (let event = this.engine.nextEvent(); event !== undefined; event = this.engine.nextEvent()) {
      this.events.push(event);
      this.#react(event);
    }
    this.#output.push(...this.engine.takeOutput());
  }

  #react(event: ConnectionEvent): void {
    if (event.type === "open") {
      this.engine.openChannel();
      this.engine.openChannel();
    } else if (event.type === "channel-open" && this.engine.state === "open") {
      const channel = this.engine.channel(event.channel);
      if (channel?.state !== "open") return;
      if (event.channel === 1) channel.send("confirm.select", { noWait: true });
      for (let i = 0; i < published; i += 1)
        channel.publish({ exchange: "", routingKey: "q", body: new Uint8Array(i) });
      for (let i = 0; i < 3; i += 1) channel.request("basic.get", { queue: "q" });
      channel.request("queue.purge", { queue: "q" });
    } else if (event.type === "basic.deliver" && this.engine.channel(event.channel)?.state === "open") {
      this.engine.channel(event.channel)?.ack(event.deliveryTag, false);
    }
  }
}

/** An event in plain values. */
function describeEvent(event: ConnectionEvent): unknown {
  if (!("content" in event)) return event;
  const { content, ...rest } = event;
  let properties: unknown;
  try {
    properties = content.properties;
  } catch (error) {
    properties = error;
  }
  return { ...rest, body: Buffer.from(content.body).toString("hex"), properties };
}

// What a server may say once two channels are open. Channel 1 has confirms.

const channel = fc.constantFrom(1, 2);
const size = fc.oneof(fc.nat(30), fc.nat(10_000), fc.constantFrom(131_064, 131_065, 99_999));
const properties = fc.record(
  { type: fc.string({ maxLength: 9 }), headers: fc.constant({ a: 1 }) },
  { requiredKeys: [] },
);
const words = { exchange: "orders", routingKey: "created" };

type Saying = (server: ServerBytes) => void;

const saying: fc.Arbitrary<Saying> = fc.oneof(
  fc.tuple(channel, size, properties).map(
    ([number, length, more]): Saying =>
      (server) => {
        const fields = { consumerTag: "c", deliveryTag: 1 + length, redelivered: false, ...words };
        server.method(number, "basic.deliver", fields).content(number, new Uint8Array(length).fill(length), more);
      },
  ),
  fc.tuple(channel, size).map(
    ([number, length]): Saying =>
      (server) => {
        server.method(number, "basic.return", { replyCode: 312, replyText: "NO_ROUTE", ...words });
        server.content(number, new Uint8Array(length));
      },
  ),
  fc.tuple(fc.integer({ min: 0, max: published }), fc.boolean()).map(
    ([deliveryTag, multiple]): Saying =>
      (server) => {
        server.method(1, "basic.ack", { deliveryTag, multiple: multiple || deliveryTag === 0 });
      },
  ),
  channel.map(
    (number): Saying =>
      (server) =>
        server.method(number, "basic.cancel", { consumerTag: "c", noWait: true }),
  ),
  channel.map(
    (number): Saying =>
      (server) =>
        server.method(number, "channel.flow", { active: true }),
  ),
  fc.constant<Saying>((server) => server.heartbeat()),
  fc.constant<Saying>((server) => server.method(0, "connection.blocked", { reason: "memory" })),
  fc.constant<Saying>((server) => server.method(0, "connection.unblocked", {})),
);
const lastWord: fc.Arbitrary<Saying> = fc.constantFrom<Saying>(
  () => undefined,
  (server) => server.method(2, "channel.close", { replyCode: 404, replyText: "", classId: 0, methodId: 0 }),
  (server) => server.method(0, "connection.close", { replyCode: 320, replyText: "", classId: 0, methodId: 0 }),
  (server) => server.raw(1, 2, 3, 4, 5, 6, 7, 8, 9),
);

const handshake: Saying = (server) => {
  server.method(0, "connection.start", start).method(0, "connection.tune", tune).method(0, "connection.open-ok", {});
  server.method(1, "channel.open-ok", {}).method(2, "channel.open-ok", {});
  const got = { deliveryTag: 1, redelivered: false, ...words, messageCount: 0 };
  for (const number of [1, 2]) server.method(number, "basic.get-ok", got).content(number, new Uint8Array(5));
};

/** Everything that a server says, as bytes. */
const stream: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.array(saying, { maxLength: 15 }), lastWord)
  .map(([sayings, last]) => {
    const server = new ServerBytes();
    for (const say of [handshake, ...sayings, last]) say(server);
    return server.take();
  });

/** Cuts bytes into chunks of the sizes given, over and over. */
function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const length = sizes[i % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

describe("the bytes of a server", () => {
  it("mean the same, however they are cut", () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 }),
        (bytes, sizes) => {
          const whole = new Puppet().run([bytes]).hangUp();
          const expected = whole.outcome;
          expect(whole.engine.counters.framesReceived).toBeGreaterThan(6);
          const pieces = new Puppet().run(cut(bytes, sizes)).hangUp();
          expect(pieces.outcome).toEqual(expected);
          // A chunk is counted whole, though the connection may end within it.
          const bytesReceived = expect.any(Number);
          expect(pieces.engine.counters).toEqual({ ...whole.engine.counters, bytesReceived });
        },
      ),
      { numRuns: 150 },
    );
  });

  it("mean the same byte by byte", () => {
    const short = stream.filter(({ length }) => length < 20_000);
    fc.assert(
      fc.property(short, (bytes) => {
        expect(new Puppet().run(cut(bytes, [1])).hangUp().outcome).toEqual(new Puppet().run([bytes]).hangUp().outcome);
      }),
      { numRuns: 60 },
    );
  });

  it("may end anywhere: what came before is the same, and the end is one", () => {
    fc.assert(
      fc.property(stream, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, part) => {
        const whole = new Puppet().run([bytes]);
        const truncated = new Puppet().run([bytes.subarray(0, Math.floor(part * bytes.length))]);
        const { events } = truncated.outcome;
        expect(events).toEqual(whole.outcome.events.slice(0, events.length));
        const all = truncated.hangUp().events;
        expect(all.filter(({ type }) => type === "closed")).toHaveLength(1);
        expect(all.at(-1)?.type).toBe("closed");
      }),
      { numRuns: 300 },
    );
  });

  it("may end at any byte of the handshake", () => {
    const server = new ServerBytes();
    handshake(server);
    const bytes = server.take();
    for (let end = 0; end <= bytes.length; end += 1) {
      const { events } = new Puppet().run([bytes.subarray(0, end)]).hangUp();
      expect(events.filter(({ type }) => type === "closed")).toHaveLength(1);
    }
  });
});

/** Changes to bytes: overwritten, inserted, left out, or said twice. */
const mutation = fc.record({
  what: fc.constantFrom("overwrite", "insert", "remove", "repeat"),
  where: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
});

function mutate(
  bytes: Uint8Array,
  { what, where, bytes: change }: { what: string; where: number; bytes: Uint8Array },
): Uint8Array {
  const at = Math.floor(where * bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (what) {
    case "overwrite":
      return joined([before, change, after.subarray(change.length)]);
    case "insert":
      return joined([before, change, after]);
    case "remove":
      return joined([before, after.subarray(change.length)]);
    default:
      return joined([before, after.subarray(0, 100), after]);
  }
}

/** Frames of any method, of either side, on any channel, that are well-formed and make no sense. */
const nonsense = fc
  .array(fc.tuple(fc.constantFrom(...(Object.keys(methods) as MethodName[])), fc.nat(3)), { maxLength: 10 })
  .map((sayings) => {
    const server = new ServerBytes();
    handshake(server);
    for (const [name, number] of sayings) server.method(number, name, sampleFields(name) as never);
    return server.take();
  });

/** Runs bytes that no server would send. An engine that throws or loops fails; so does one that says too much. */
function survive(bytes: Uint8Array, sizes: readonly number[]): void {
  const puppet = new Puppet().run(cut(bytes, sizes));
  const { events, output } = puppet.hangUp().outcome;
  expect(puppet.events.filter(({ type }) => type === "closed")).toHaveLength(1);
  expect(puppet.events.at(-1)?.type).toBe("closed");
  // A frame has 8 bytes at least and makes one event, or a run per publish that it confirms.
  expect(events.length).toBeLessThan(bytes.length / 8 + published + 10);
  expect(output.length).toBeLessThan(10_000 + 4 * bytes.length);
  expect(puppet.engine.nextDeadline()).toBeUndefined();
}

describe("bytes that no server would send", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });

  it("never break the engine when they are random", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500, size: "max" }), sizes, survive), { numRuns: 500 });
  });

  it("never break the engine when they begin well and are random then", () => {
    const server = new ServerBytes();
    handshake(server);
    const beginning = server.take();
    const random = fc.uint8Array({ maxLength: 500, size: "max" }).map((bytes) => joined([beginning, bytes]));
    fc.assert(fc.property(random, sizes, survive), { numRuns: 500 });
  });

  it("never break the engine when they are those of a server with some of them changed", () => {
    const mutated = fc
      .tuple(stream, fc.array(mutation, { minLength: 1, maxLength: 4 }))
      .map(([bytes, mutations]) => mutations.reduce(mutate, bytes));
    fc.assert(fc.property(mutated, sizes, survive), { numRuns: 700 });
  });

  it("never break the engine when every frame is well-formed", () => {
    fc.assert(fc.property(nonsense, sizes, survive), { numRuns: 500 });
  });
});
