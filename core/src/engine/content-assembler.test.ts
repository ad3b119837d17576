import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joined } from "../wire/bytes.ts";
import { writeContent } from "../wire/encode.ts";
import { FrameReader } from "../wire/frame-reader.ts";
import { frameType } from "../wire/constants.ts";
import { Output } from "../wire/output.ts";
import type { BasicProperties } from "../wire/properties.ts";
import type { Content } from "./content.ts";
import { ContentAssembler, type ContentMethod } from "./content-assembler.ts";
import { Slab } from "./slab.ts";

const method: ContentMethod = {
  name: "basic.deliver",
  fields: { consumerTag: "c", deliveryTag: 1, redelivered: false, exchange: "", routingKey: "q" },
};

function assembler(maxBodySize = 1e9): ContentAssembler {
  return new ContentAssembler(new Slab(), maxBodySize);
}

/** A content's frames, read in chunks of the sizes given, over and over; every chunk is scribbled over afterwards. */
function assemble(
  body: Uint8Array,
  properties: BasicProperties,
  frameMax: number,
  chunkSizes: readonly number[],
): Content[] {
  const output = new Output();
  writeContent(output, 1, properties, body, frameMax);
  const bytes = joined(output.take());
  const reader = new FrameReader(frameMax);
  const target = assembler();
  target.begin(method);
  const contents: Content[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = chunkSizes[i % chunkSizes.length] ?? bytes.length;
    const chunk = bytes.slice(at, at + size);
    at += size;
    reader.append(chunk);
    while (reader.next()) {
      const content =
        reader.type === frameType.header
          ? target.header(reader.bytes, reader.start, reader.end)
          : target.body(reader.bytes, reader.start, reader.end, reader.last);
      if (content !== undefined) contents.push(content);
    }
    chunk.fill(0xee);
  }
  expect(target.busy).toBe(false);
  return contents;
}

/** The payload of a content header. */
function headerPayload(bodySize: number, { classId = 60, weight = 0 } = {}): Uint8Array {
  const payload = new Uint8Array(14);
  const view = new DataView(payload.buffer);
  view.setUint16(0, classId);
  view.setUint16(2, weight);
  view.setBigUint64(4, BigInt(bodySize));
  return payload;
}

describe("ContentAssembler", () => {
  it("puts any body together from any frames in any chunks, and keeps it when the chunks change", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20_000, size: "max" }),
        fc.record({ type: fc.string({ maxLength: 20 }), priority: fc.nat(255) }, { requiredKeys: [] }),
        fc.constantFrom(0, 4096, 131_072),
        fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 1, maxLength: 5 }),
        (body, properties, frameMax, chunkSizes) => {
          const contents = assemble(body, properties, frameMax, chunkSizes);
          expect(contents).toHaveLength(1);
          expect(contents[0]?.body).toEqual(body);
          expect(contents[0]?.properties).toEqual(properties);
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each([0, 1, 31, 32, 33, 4088, 4089, 8192, 8193, 1_048_576, 1_048_577, 3_000_000])(
    "puts together a body of %i bytes",
    (size) => {
      const body = new Uint8Array(size).map((_, i) => i % 251);
      for (const chunkSizes of [[size + 100_000], [1000], [65_536]]) {
        const [content] = assemble(body, {}, 131_072, chunkSizes);
        expect(content?.body.length).toBe(size);
        expect(Buffer.compare(content?.body ?? new Uint8Array(), body)).toBe(0);
      }
    },
  );

  it("takes an empty body for done at the header", () => {
    const target = assembler();
    target.begin(method);
    expect(target.busy).toBe(true);
    const content = target.header(headerPayload(0), 0, 14);
    expect(content?.body).toEqual(new Uint8Array(0));
    expect(content?.properties).toEqual({});
    expect(target.busy).toBe(false);
    expect(target.method).toBe(method);
  });

  it("takes an empty frame in the middle of a body", () => {
    const target = assembler();
    target.begin(method);
    target.header(headerPayload(2), 0, 14);
    expect(target.body(new Uint8Array([1]), 0, 1, true)).toBeUndefined();
    expect(target.body(new Uint8Array(), 0, 0, true)).toBeUndefined();
    expect(target.body(new Uint8Array([2]), 0, 1, true)?.body).toEqual(new Uint8Array([1, 2]));
  });

  it("waits for the end of the frame that completes the body", () => {
    const target = assembler();
    target.begin(method);
    target.header(headerPayload(1), 0, 14);
    expect(target.body(new Uint8Array([1]), 0, 1, false)).toBeUndefined();
    expect(target.busy).toBe(true);
    expect(target.body(new Uint8Array(), 0, 0, true)?.body).toEqual(new Uint8Array([1]));
  });

  it("allocates as a body arrives, not as it is announced", () => {
    const target = assembler(Number.MAX_SAFE_INTEGER);
    target.begin(method);
    const before = process.memoryUsage().arrayBuffers;
    target.header(headerPayload(2 ** 50), 0, 14);
    target.body(new Uint8Array(1000), 0, 1000, true);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  });

  describe("refuses", () => {
    it("a header or a body that nothing announced", () => {
      expect(() => assembler().header(headerPayload(0), 0, 14)).toThrow(
        expect.objectContaining({ code: "UNEXPECTED_FRAME" }),
      );
      expect(() => assembler().body(new Uint8Array(1), 0, 1, true)).toThrow(
        expect.objectContaining({ code: "UNEXPECTED_FRAME" }),
      );
    });

    it("a body where a header is due, and a second header", () => {
      const target = assembler();
      target.begin(method);
      expect(() => target.body(new Uint8Array(1), 0, 1, true)).toThrow("Got a content body");
      target.header(headerPayload(1), 0, 14);
      expect(() => target.header(headerPayload(1), 0, 14)).toThrow("Got a content header");
    });

    it("a body behind an empty one", () => {
      const target = assembler();
      target.begin(method);
      target.header(headerPayload(0), 0, 14);
      expect(() => target.body(new Uint8Array(), 0, 0, true)).toThrow(
        expect.objectContaining({ code: "UNEXPECTED_FRAME" }),
      );
    });

    it.each([
      ["another class", { classId: 50 }],
      ["a weight", { weight: 1 }],
    ])("a header with %s", (_, wrong) => {
      const target = assembler();
      target.begin(method);
      expect(() => target.header(headerPayload(1, wrong), 0, 14)).toThrow(
        expect.objectContaining({ code: "UNEXPECTED_FRAME" }),
      );
    });

    it("more than was announced", () => {
      const target = assembler();
      target.begin(method);
      target.header(headerPayload(2), 0, 14);
      target.body(new Uint8Array(1), 0, 1, true);
      expect(() => target.body(new Uint8Array(2), 0, 2, true)).toThrow(
        expect.objectContaining({ code: "FRAME_ERROR" }),
      );
    });

    it("a body over the limit, before it arrives", () => {
      const target = assembler(100);
      target.begin(method);
      expect(target.header(headerPayload(100), 0, 14)).toBeUndefined();
      const other = assembler(100);
      other.begin(method);
      expect(() => other.header(headerPayload(101), 0, 14)).toThrow(
        expect.objectContaining({ code: "RESOURCE_ERROR", message: expect.stringContaining("limits.maxBodySize") }),
      );
    });
  });
});
