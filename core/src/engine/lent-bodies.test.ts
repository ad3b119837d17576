import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionEvent } from "./events.ts";
import { Driver } from "./testing/driver.ts";
import { ServerBytes } from "./testing/server.ts";
import { joined } from "../wire/bytes.ts";

const frameMax = 4096;
const largeFrame = 40_000;
const fields = { deliveryTag: 1, redelivered: false, exchange: "", routingKey: "k" };

function lending(): Driver {
  const driver = new Driver().open({ frameMax });
  driver.channel();
  driver.engine.channel(1)?.lendBodies("borrower", true);
  return driver;
}

/** What a reader sees that looks at each body when it is handed out, and at no other time. */
function bodies(driver: Driver, chunks: readonly Uint8Array[]): string[] {
  const seen: string[] = [];
  for (const chunk of chunks) {
    driver.engine.receive(chunk, driver.now);
    for (let event = driver.engine.nextEvent(); event !== undefined; event = driver.engine.nextEvent()) {
      if (event.type !== "basic.deliver") throw new Error(`Expected a delivery, got ${event.type}`);
      const { body, properties } = event.content;
      seen.push(`${event.consumerTag} ${body.length} ${body.join()} ${JSON.stringify(properties)}`);
    }
    driver.engine.detachInput();
    chunk.fill(0xff);
  }
  return seen;
}

/** What is received and seen where the transport reads to where the engine says, so many bytes at a time; and how many were. */
function readInPlace(driver: Driver, bytes: Uint8Array, sizes: readonly number[]): { seen: string[]; inPlace: number } {
  const seen: string[] = [];
  let inPlace = 0;
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const target = driver.engine.readTarget();
    const size = Math.min(sizes[turn % sizes.length] ?? bytes.length, bytes.length - at, target?.length ?? Infinity);
    const chunk = target?.subarray(0, size) ?? new Uint8Array(size);
    chunk.set(bytes.subarray(at, at + size));
    at += size;
    if (target !== undefined) inPlace += size;
    driver.engine.receive(chunk, driver.now);
    for (let event = driver.engine.nextEvent(); event !== undefined; event = driver.engine.nextEvent()) {
      seen.push(shown(event));
      // What a handler does with the memory that bodies are put together in harms no message that follows.
      if (event.type === "basic.deliver" && event.content.body.length > largeFrame) {
        new Uint8Array(event.content.body.buffer).fill(0xaa);
      }
    }
    driver.engine.detachInput();
    if (target === undefined) chunk.fill(0xff);
  }
  return { seen, inPlace };
}

/** The same of bytes that come in one chunk. */
function readWhole(driver: Driver, bytes: Uint8Array): string[] {
  const seen: string[] = [];
  driver.engine.receive(bytes.slice(), driver.now);
  for (let event = driver.engine.nextEvent(); event !== undefined; event = driver.engine.nextEvent()) {
    seen.push(shown(event));
  }
  return seen;
}

function shown(event: ConnectionEvent): string {
  if (event.type !== "basic.deliver") return event.type;
  const { body, properties } = event.content;
  return `${event.channel} ${event.consumerTag} ${createHash("md5").update(body).digest("hex")} ${JSON.stringify(properties)}`;
}

describe("lent bodies", () => {
  const message = fc.record({
    consumerTag: fc.constantFrom("borrower", "owner"),
    body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 3000, maxLength: 9000, size: "max" })),
    properties: fc.constantFrom({}, { type: "order" }),
  });

  it("are what was sent when they are handed out, however the bytes arrive", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat(30_000), { maxLength: 4 }), (messages, cuts) => {
        const server = new ServerBytes(frameMax);
        for (const { consumerTag, body, properties } of messages) {
          server.method(1, "basic.deliver", { ...fields, consumerTag }).content(1, body, properties);
        }
        const bytes = server.take();
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((end, index) => bytes.slice(at[index], end));
        const expected = messages.map(
          ({ consumerTag, body, properties }) =>
            `${consumerTag} ${body.length} ${body.join()} ${JSON.stringify(properties)}`,
        );
        expect(bodies(lending(), chunks)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it.each([0, 10])("are copied by slice(), also where the chunk is a Node Buffer, %i octets of it ahead", (ahead) => {
    const server = new ServerBytes(frameMax);
    server
      .method(1, "basic.deliver", { ...fields, consumerTag: "borrower" })
      .content(1, new Uint8Array(100).fill(7), {});
    const chunk = Buffer.from(server.take());
    const driver = lending();
    driver.engine.receive(chunk.subarray(0, ahead), driver.now);
    driver.engine.receive(chunk.subarray(ahead), driver.now);
    const event = driver.engine.nextEvent();
    if (event?.type !== "basic.deliver") throw new Error(`Expected a delivery, got ${event?.type}`);
    const copy = event.content.body.slice();
    chunk.fill(0xff);
    expect(copy).toEqual(new Uint8Array(100).fill(7));
  });

  it("outlive their chunk when only the end of their frame is in the next", () => {
    const server = new ServerBytes(frameMax);
    const body = Uint8Array.from({ length: 2000 }, (_, index) => index);
    server.method(1, "basic.deliver", { ...fields, consumerTag: "borrower" }).content(1, body, {});
    const bytes = server.take();
    const seen = bodies(lending(), [bytes.slice(0, -1), bytes.slice(-1)]);
    expect(seen).toEqual([`borrower 2000 ${body.join()} {}`]);
  });

  it("are where they arrived, and those of others are not", () => {
    const deliver = (driver: Driver, consumerTag: string): boolean => {
      const server = new ServerBytes(frameMax);
      server.method(1, "basic.deliver", { ...fields, consumerTag }).content(1, new Uint8Array(2000), {});
      const chunk = server.take();
      const [event] = driver.receive(chunk);
      return event?.type === "basic.deliver" && event.content.body.buffer === chunk.buffer;
    };
    const driver = lending();
    expect(deliver(driver, "borrower")).toBe(true);
    expect(deliver(driver, "owner")).toBe(false);
    driver.engine.channel(1)?.lendBodies("borrower", false);
    expect(deliver(driver, "borrower")).toBe(false);
  });
});

describe("bodies that are read to where they belong", () => {
  const message = fc.record({
    channel: fc.constantFrom(1, 2),
    consumerTag: fc.constantFrom("borrower", "borrower", "owner"),
    size: fc.oneof(
      fc.nat(300),
      fc.integer({ min: 60_000, max: 200_000 }),
      // The last frame is full, or all but empty.
      fc.constantFrom(...[1, 2, 3].flatMap((count) => [-1, 0, 1].map((more) => count * (largeFrame - 8) + more))),
      fc.constantFrom(1_048_576, 1_500_000),
    ),
    properties: fc.constantFrom({}, { type: "order" }, { headers: { text: "z".repeat(600) } }),
  });
  const readSize = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 600_000 }));

  function borrowing(): Driver {
    const driver = new Driver().open({ frameMax: largeFrame });
    for (const number of [1, 2]) {
      driver.channel();
      driver.engine.channel(number)?.lendBodies("borrower", true);
    }
    return driver;
  }

  it("are those that were sent, however much each read brings", () => {
    let inPlace = 0;
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 5 }),
        fc.array(fc.tuple(readSize, fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 5 }),
        (messages, sizes) => {
          const server = new ServerBytes(largeFrame);
          for (const [index, { channel, consumerTag, size, properties }] of messages.entries()) {
            server.method(channel, "basic.deliver", { ...fields, consumerTag });
            server.content(channel, bodyOf(size, index), properties);
          }
          const bytes = server.take();
          const plain = readWhole(borrowing(), bytes);
          expect(plain).toHaveLength(messages.length);
          // Mostly large reads: what is cut into single bytes takes its time.
          const reads = sizes.flatMap(([size, times]) => Array.from({ length: times }, () => size));
          const got = readInPlace(borrowing(), bytes, [...reads, 600_000, 600_000]);
          expect(got.seen).toEqual(plain);
          inPlace += got.inPlace;
        },
      ),
      { numRuns: 60 },
    );
    expect(inPlace).toBeGreaterThan(1_000_000);
  });

  it("have frames of other channels between their own", () => {
    const content = (channel: number, seed: number): Uint8Array[] => {
      const server = new ServerBytes(largeFrame);
      server.method(channel, "basic.deliver", { ...fields, consumerTag: "borrower" });
      return framesOf(server.content(channel, bodyOf(250_000, seed), {}).take());
    };
    const [one, other] = [content(1, 3), content(2, 5)];
    const heartbeat = Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0xce);
    const bytes = joined(one.flatMap((frame, index) => [frame, heartbeat, other[index]!]));
    const plain = readWhole(borrowing(), bytes);
    expect(plain).toHaveLength(2);
    const got = readInPlace(borrowing(), bytes, [30_000]);
    expect(got.seen).toEqual(plain);
    expect(got.inPlace).toBeGreaterThan(100_000);
  });

  it("are read so only when they are lent, large, and of several frames", () => {
    const targetAfter = (consumerTag: string, size: number, received: number): number | undefined => {
      const driver = borrowing();
      const server = new ServerBytes(largeFrame);
      server.method(1, "basic.deliver", { ...fields, consumerTag }).content(1, new Uint8Array(size), {});
      driver.receive(server.take().subarray(0, received));
      return driver.engine.readTarget()?.length;
    };
    expect(targetAfter("borrower", 200_000, 1000)).toBeGreaterThan(30_000);
    expect(targetAfter("borrower", 200_000, 20)).toBeUndefined();
    expect(targetAfter("owner", 200_000, 1000)).toBeUndefined();
    expect(targetAfter("borrower", 39_000, 1000)).toBeUndefined();
    expect(targetAfter("borrower", 41_000, 20_000)).toBeUndefined();
  });

  it("take no memory before their size was checked", () => {
    const driver = new Driver({ limits: { maxBodySize: 100_000 } }).open({ frameMax: largeFrame });
    driver.channel();
    driver.engine.channel(1)?.lendBodies("borrower", true);
    const server = new ServerBytes(largeFrame);
    server.method(1, "basic.deliver", { ...fields, consumerTag: "borrower" }).content(1, new Uint8Array(100_001), {});
    const events = driver.receive(server.take().subarray(0, 1000));
    expect(events.at(-1)?.type).toBe("closed");
    expect(driver.engine.readTarget()).toBeUndefined();
  });
});

function bodyOf(size: number, seed: number): Uint8Array {
  const body = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) body[at] = at * 7 + (at >> 8) + seed;
  return body;
}

function framesOf(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + new DataView(bytes.buffer, bytes.byteOffset + at + 3).getUint32(0);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}
