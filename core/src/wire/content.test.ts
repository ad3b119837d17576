/** Contents from end to end: header and body frames. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameType } from "./constants.ts";
import { decodeContentHeader } from "./decode.ts";
import { writeContent, writeDeliver, writeHeartbeat, writePublish } from "./encode.ts";
import { UsageError } from "./errors.ts";
import { FrameReader } from "./frame-reader.ts";
import { Output } from "./output.ts";
import { decodeProperties, encodeProperties } from "./properties.ts";
import { fitsFrame, properties, receivedProperties } from "./testing/arbitraries.ts";
import { fromHex, taken, toHex } from "./testing/bytes.ts";
import { FrameCollector } from "./testing/frames.ts";

const noLimit = 0;
const nothing = new Uint8Array(0);

function contentFrames(out: Output): string[] {
  const reader = new FrameReader(noLimit);
  const collector = new FrameCollector();
  for (const piece of out.take()) reader.append(piece);
  collector.drain(reader);
  return collector.lines;
}

/** The sizes of the payloads of body frames. */
function bodySizes(lines: readonly string[]): number[] {
  return lines.filter((line) => line.startsWith("3 ")).map((line) => line.split(" ")[2]!.length / 2);
}

describe("a content", () => {
  it("arrives as it was sent, cut into frames of the negotiated size, copied or by reference", () => {
    const sizes = fc.oneof(fc.nat(200), fc.nat(10_000), fc.constantFrom(0, 1, 4095, 4096, 4088, 4089, 8176, 8177));
    const frameMax = fc.constantFrom(noLimit, 4096, 8192, 131_072);
    const options = fc.record({
      segmentSize: fc.constantFrom(64, 65_536),
      referenceThreshold: fc.constantFrom(1, 100, 4096),
    });
    fc.assert(
      fc.property(fc.option(properties, { nil: undefined }), sizes, frameMax, options, (sent, size, limit, chosen) => {
        const body = Uint8Array.from({ length: size }, (_, i) => i * 7);
        const out = new Output(chosen);
        if (!fitsFrame(sent, limit)) {
          expect(() => writeContent(out, 5, sent, body, limit)).toThrow(UsageError);
          expect(out.size).toBe(0);
          return;
        }
        writeContent(out, 5, sent, body, limit);
        const [header, ...bodies] = contentFrames(out);
        const [type, channel, hex] = header!.split(" ") as [string, string, string];
        expect([type, channel]).toEqual(["2", "5"]);
        const payload = fromHex(hex);
        const { classId, weight, bodySize, propertiesStart } = decodeContentHeader(payload, 0, payload.length);
        expect({ classId, weight, bodySize }).toEqual({ classId: 60, weight: 0, bodySize: size });
        expect(decodeProperties(payload, propertiesStart)).toStrictEqual(receivedProperties(sent ?? {}));
        expect(bodies.every((line) => line.startsWith("3 5 "))).toBe(true);
        expect(bodies.map((line) => line.slice(4)).join("")).toBe(toHex(body));
        const most = limit === noLimit ? size : limit - 8;
        for (const [index, length] of bodySizes(bodies).entries()) {
          expect(length).toBe(Math.min(most, size - index * most));
        }
      }),
    );
  });

  it("without a body has no body frame", () => {
    const out = new Output();
    writeContent(out, 1, undefined, nothing, 4096);
    expect(toHex(taken(out))).toBe("0200010000000e" + "003c0000" + "0000000000000000" + "0000" + "ce");
  });

  it("has its large body queued as it is, and a small one copied", () => {
    const large = new Uint8Array(4096).fill(1);
    const small = new Uint8Array(4095).fill(1);
    const out = new Output();
    writePublish(out, 1, { exchange: "", routingKey: "k", body: large }, 131_072);
    writePublish(out, 1, { exchange: "", routingKey: "k", body: small }, 131_072);
    const pieces = out.take();
    expect(pieces.filter((piece) => piece.buffer === large.buffer)).toEqual([large]);
    expect(pieces.some((piece) => piece.buffer === small.buffer)).toBe(false);
  });

  it("whose header does not fit into a frame is not written at all", () => {
    const headers = { a: "x".repeat(4096 - 8 - 12 - 2 - 4 - 2 - 5) };
    const body = new Uint8Array(10);
    const out = new Output();
    writeContent(out, 1, { headers }, nothing, 4096);
    expect(out.size).toBe(4096);
    const tooMuch = { headers, deliveryMode: 1 };
    const delivery = { consumerTag: "t", deliveryTag: 1, redelivered: false, exchange: "", routingKey: "", body };
    const attempts: readonly (() => void)[] = [
      () => writeContent(out, 1, tooMuch, body, 4096),
      () => writeContent(out, 1, encodeProperties(tooMuch), body, 4096),
      () => writeContent(out, 1, { headers: { a: "x".repeat(100_000) } }, body, 4096),
      () => writePublish(out, 1, { exchange: "", routingKey: "", properties: tooMuch, body }, 4096),
      () => writeDeliver(out, 1, { ...delivery, properties: tooMuch }, 4096),
    ];
    for (const attempt of attempts) {
      expect(attempt).toThrow(UsageError);
      expect(attempt).toThrow(/frame/);
      expect(out.size).toBe(4096);
    }
  });

  const good = { exchange: "e", routingKey: "k", body: nothing };
  const bad: readonly (readonly [string, object])[] = [
    ["basic.publish exchange", { exchange: 1 }],
    ["basic.publish exchange", { exchange: "x".repeat(256) }],
    ["basic.publish exchange", { exchange: "é".repeat(128) }],
    ["basic.publish routingKey", { routingKey: undefined }],
    ["basic.publish routingKey", { routingKey: "\ud800" }],
    ["basic.publish mandatory", { mandatory: 1 }],
    ["body", { body: "text" }],
    ["body", { body: [1] }],
    ["body", { body: new Uint16Array(1) }],
    ["properties", { properties: null }],
    ["properties", { properties: "x" }],
    ["property priority", { properties: { priority: 256 } }],
    ["property headers", { properties: { contentType: "x", headers: { a: Symbol("s") } } }],
  ];

  it.each(bad)("is refused for a bad %s: %o; nothing is written", (where, change) => {
    const out = new Output();
    out.octet(7);
    const attempt = (): void => writePublish(out, 1, { ...good, ...change } as typeof good, noLimit);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(new RegExp(`^${where}`));
    expect(toHex(taken(out))).toBe("07");
  });

  it.each([
    ["consumerTag", 1],
    ["deliveryTag", -1],
    ["deliveryTag", 2 ** 53],
    ["redelivered", "yes"],
    ["exchange", null],
    ["routingKey", "\udc00"],
  ])("is refused for a bad %s of a delivery: %o", (name, value) => {
    const delivery = {
      consumerTag: "t",
      deliveryTag: 1,
      redelivered: false,
      exchange: "",
      routingKey: "",
      body: nothing,
    };
    const out = new Output();
    expect(() => writeDeliver(out, 1, { ...delivery, [name]: value }, noLimit)).toThrow(
      new RegExp(`^basic.deliver ${name}`),
    );
    expect(out.size).toBe(0);
  });

  it("of another realm is bytes all the same", async () => {
    const { runInNewContext } = await import("node:vm");
    const body = runInNewContext("Uint8Array.of(1, 2)") as Uint8Array;
    const out = new Output();
    writeContent(out, 1, undefined, body, noLimit);
    expect(contentFrames(out).at(-1)).toBe("3 1 0102");
  });
});

describe("a content header", () => {
  const decode = (hex: string): unknown => decodeContentHeader(fromHex(hex), 0, fromHex(hex).length);

  it("of another class is told, and left to the reader", () => {
    expect(decode("0032 0000 0000000000000005 0000")).toEqual({
      classId: 50,
      weight: 0,
      bodySize: 5,
      propertiesStart: 12,
    });
  });

  it.each([
    ["FRAME_ERROR", "a short one", "003c 0000 0000000000000005 00"],
    ["FRAME_ERROR", "an empty one", ""],
    ["UNEXPECTED_FRAME", "a weight", "003c 0001 0000000000000005 0000"],
    ["FRAME_ERROR", "a body size beyond 2^53", "003c 0000 0020000000000000 0000"],
    ["FRAME_ERROR", "the largest body size", "003c 0000 ffffffffffffffff 0000"],
  ])("is a %s for %s", (code, _, hex) => {
    expect(() => decode(hex)).toThrow(expect.objectContaining({ name: "ProtocolError", code }) as Error);
  });
});

describe("a heartbeat", () => {
  it("is one empty frame on channel 0", () => {
    const out = new Output();
    writeHeartbeat(out);
    expect(toHex(taken(out))).toBe("08000000000000ce");
    expect(frameType.heartbeat).toBe(8);
  });
});
