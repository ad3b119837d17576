import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joined } from "./bytes.ts";
import { frameType, maxFramePayload } from "./constants.ts";
import { ProtocolError } from "./errors.ts";
import { FrameReader } from "./frame-reader.ts";
import { fromHex } from "./testing/bytes.ts";
import { type Frame, frameBytes, FrameCollector, frameLine } from "./testing/frames.ts";

const frameMax = 8192;

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constantFrom(frameType.method, frameType.header, frameType.body),
    channel: fc.nat(0xffff),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 4000, maxLength: 6000, size: "max" }),
    ),
  }),
  fc.constant({ type: frameType.heartbeat, channel: 0, payload: new Uint8Array(0) }),
);

const frames = fc.array(frame, { maxLength: 8 });

function streamOf(list: readonly Frame[]): Uint8Array {
  return joined(list.map(frameBytes));
}

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.slice(i === 0 ? 0 : at[i - 1], end));
}

const places = fc.array(fc.nat(), { maxLength: 30 });

/** Reads a stream that arrives in chunks; every chunk is overwritten as soon as the reader is done with it. */
function readChunks(chunks: readonly Uint8Array[]): string[] {
  const reader = new FrameReader(frameMax);
  const collector = new FrameCollector();
  for (const chunk of chunks) {
    reader.append(chunk);
    collector.drain(reader);
    chunk.fill(0x5a);
  }
  return collector.lines;
}

describe("frames", () => {
  it("are the same however the stream is cut, and no chunk is referred to once it is parsed", () => {
    fc.assert(
      fc.property(frames, places, (list, at) => {
        const stream = streamOf(list);
        const expected = list.map(frameLine);
        expect(readChunks([stream.slice()])).toEqual(expected);
        expect(readChunks(cut(stream, at))).toEqual(expected);
      }),
    );
  });

  it("are the same byte by byte", () => {
    fc.assert(
      fc.property(frames, (list) => {
        const stream = streamOf(list);
        expect(readChunks(Array.from(stream, (octet) => Uint8Array.of(octet)))).toEqual(list.map(frameLine));
      }),
      { numRuns: 20 },
    );
  });

  it("are the same when several chunks wait, detached or not", () => {
    const chunkings = fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(frames, places, chunkings, (list, at, behaviours) => {
        const reader = new FrameReader(frameMax);
        const collector = new FrameCollector();
        const chunks = cut(streamOf(list), at);
        let waiting: Uint8Array[] = [];
        for (const [i, chunk] of chunks.entries()) {
          const [parse, detach] = behaviours[i % behaviours.length]!;
          reader.append(chunk);
          waiting.push(chunk);
          if (parse) collector.drain(reader);
          else if (detach) reader.detach();
          if (!parse && !detach) continue;
          for (const done of waiting) done.fill(0x5a);
          waiting = [];
        }
        collector.drain(reader);
        expect(collector.lines).toEqual(list.map(frameLine));
        expect(reader.unparsed).toBe(0);
      }),
    );
  });

  it("can be read one at a time between detaches", () => {
    fc.assert(
      fc.property(frames, places, (list, at) => {
        const reader = new FrameReader(frameMax);
        for (const chunk of cut(streamOf(list), at)) {
          reader.append(chunk);
          reader.detach();
          chunk.fill(0x5a);
        }
        const lines: string[] = [];
        let payload: Uint8Array[] = [];
        while (reader.next()) {
          payload.push(reader.bytes.slice(reader.start, reader.end));
          if (reader.last) {
            lines.push(frameLine({ type: reader.type, channel: reader.channel, payload: joined(payload) }));
            payload = [];
          }
          reader.detach();
        }
        expect(lines).toEqual(list.map(frameLine));
      }),
    );
  });

  it("are not more and not fewer when the stream ends early, and nothing is wrong", () => {
    fc.assert(
      fc.property(frames, fc.nat(), (list, length) => {
        const stream = streamOf(list);
        const end = length % (stream.length + 1);
        let whole = 0;
        for (let size = 0; whole < list.length; whole++) {
          size += frameBytes(list[whole]!).length;
          if (size > end) break;
        }
        expect(readChunks([stream.slice(0, end)])).toEqual(list.slice(0, whole).map(frameLine));
      }),
    );
  });

  it("that lie inside a chunk are read in place, Buffer or not", () => {
    const bytes = Buffer.from(frameBytes({ type: frameType.method, channel: 3, payload: fromHex("0a0b") }));
    const reader = new FrameReader(frameMax);
    reader.append(bytes);
    expect(reader.next()).toBe(true);
    expect(reader.bytes).toBe(bytes);
    expect([reader.start, reader.end]).toEqual([7, 9]);
    expect(reader.next()).toBe(false);
    expect(reader.bytes.length).toBe(0);
  });
});

describe("a body frame", () => {
  const whole = frameBytes({ type: frameType.body, channel: 1, payload: fromHex("010203040506") });

  function pieces(chunks: readonly Uint8Array[]): string[] {
    const reader = new FrameReader(frameMax);
    const list: string[] = [];
    for (const chunk of chunks) {
      reader.append(chunk);
      while (reader.next()) {
        list.push(
          `${Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString("hex")}${reader.last ? "!" : ""}`,
        );
      }
    }
    return list;
  }

  it("comes in pieces as it arrives, out of the chunks themselves", () => {
    expect(pieces([whole])).toEqual(["010203040506!"]);
    expect(pieces([whole.subarray(0, 9), whole.subarray(9)])).toEqual(["0102", "03040506!"]);
    expect(pieces([whole.subarray(0, 3), whole.subarray(3, 8), whole.subarray(8)])).toEqual(["01", "0203040506!"]);
  });

  it("ends with an empty piece when only its end octet was missing", () => {
    expect(pieces([whole.subarray(0, 13), whole.subarray(13)])).toEqual(["010203040506", "!"]);
  });

  it("has no piece before any of it arrived", () => {
    expect(pieces([whole.subarray(0, 7)])).toEqual([]);
    expect(pieces([whole.subarray(0, 7), whole.subarray(7)])).toEqual(["010203040506!"]);
  });

  it("that is empty is one empty piece", () => {
    const empty = frameBytes({ type: frameType.body, channel: 1, payload: new Uint8Array(0) });
    expect(pieces([empty])).toEqual(["!"]);
    expect(pieces([empty.subarray(0, 7), empty.subarray(7)])).toEqual(["!"]);
  });

  it("takes no memory of its own, however large it is said to be", () => {
    const reader = new FrameReader(0);
    reader.append(fromHex("03 0001 ffffffff 0102"));
    expect(reader.next()).toBe(true);
    expect([reader.end - reader.start, reader.last]).toEqual([2, false]);
    expect(reader.next()).toBe(false);
    expect(reader.unparsed).toBe(0);
  });
});

describe("what is not a frame", () => {
  const wrong: readonly (readonly [string, string, string])[] = [
    ["FRAME_ERROR", "type 0", "00 0000 00000000 ce"],
    ["FRAME_ERROR", "type 4", "04 0000 00000000 ce"],
    ["FRAME_ERROR", "type 255", "ff 0000 00000000 ce"],
    ["FRAME_ERROR", "a protocol header", "414d5150 00000901"],
    ["FRAME_ERROR", "a method frame over the limit", "01 0001 00001ff9"],
    ["FRAME_ERROR", "a body frame over the limit", "03 0001 00001ff9"],
    ["FRAME_ERROR", "the largest size", "02 0001 ffffffff"],
    ["FRAME_ERROR", "a heartbeat with a payload", "08 0000 00000001 00 ce"],
    ["UNEXPECTED_FRAME", "a heartbeat on a channel", "08 0001 00000000 ce"],
    ["FRAME_ERROR", "a wrong end of a method frame", "01 0001 00000002 0102 cd"],
    ["FRAME_ERROR", "a wrong end of a body frame", "03 0001 00000002 0102 00"],
    ["FRAME_ERROR", "a wrong end of an empty frame", "03 0001 00000000 00"],
    ["FRAME_ERROR", "a wrong end of a heartbeat", "08 0000 00000000 00"],
  ];

  it.each(wrong)("is a %s: %s, in one chunk and byte by byte; the reader stays failed", (code, _, hex) => {
    const bytes = fromHex(hex);
    const heartbeat = fromHex("08 0000 00000000 ce");
    const streams = [
      [joined([heartbeat, bytes, heartbeat])],
      [heartbeat, ...Array.from(bytes, (octet) => Uint8Array.of(octet))],
    ];
    for (const chunks of streams) {
      const reader = new FrameReader(frameMax);
      const collector = new FrameCollector();
      const feed = (): void => {
        for (const chunk of chunks) {
          reader.append(chunk);
          collector.drain(reader);
        }
      };
      const failure = expect.objectContaining({ name: "ProtocolError", code }) as Error;
      expect(feed).toThrow(failure);
      expect(collector.lines).toEqual(["8 0 "]);
      reader.append(heartbeat);
      expect(reader.unparsed).toBe(0);
      expect(() => reader.next()).toThrow(failure);
      expect(reader.bytes.length).toBe(0);
    }
  });

  it("is found before the size of anything matters", () => {
    const reader = new FrameReader(frameMax);
    reader.append(fromHex("01 0001 00001ff8"));
    expect(reader.next()).toBe(false);
    const held = new FrameReader(0);
    held.append(fromHex(`02 0001 ${(maxFramePayload + 1).toString(16).padStart(8, "0")}`));
    expect(() => held.next()).toThrow(/has to be held/);
  });

  it.each([0, 0xffff_ffff])(
    "is no whole content: a header that is too large to be held, with a limit of %i",
    (limit) => {
      const contentOf = (headerSize: number): FrameReader => {
        const header = new Uint8Array(headerSize);
        // The size of the body.
        header[11] = 1;
        const payloads = [new Uint8Array(4), header, new Uint8Array(1)];
        const content = payloads.map((payload, at) => frameBytes({ type: frameType.method + at, channel: 1, payload }));
        const reader = new FrameReader(limit);
        reader.append(joined(content));
        expect(reader.next()).toBe(true);
        return reader;
      };
      expect(contentOf(maxFramePayload).peekContent()).toBe(true);
      const reader = contentOf(maxFramePayload + 1);
      expect(reader.peekContent()).toBe(false);
      expect(() => reader.next()).toThrow(/has to be held/);
    },
  );

  it("is a ProtocolError whatever the bytes are, and reading always ends", () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.constantFrom(0, 1, 2, 3, 8, 0xce), { maxLength: 200 }).map((bytes) => Uint8Array.from(bytes)),
      // A valid stream with one octet changed.
      fc.tuple(frames, fc.nat(), fc.nat(255)).map(([list, at, octet]) => {
        const stream = streamOf(list);
        if (stream.length > 0) stream[at % stream.length] = octet;
        return stream;
      }),
    );
    fc.assert(
      fc.property(anything, places, fc.constantFrom(0, frameMax), (bytes, at, limit) => {
        const reader = new FrameReader(limit);
        let steps = 0;
        try {
          for (const chunk of cut(bytes, at)) {
            reader.append(chunk);
            while (reader.next()) {
              steps++;
              expect(reader.start <= reader.end && reader.end <= reader.bytes.length).toBe(true);
            }
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
        // A frame has at least 8 bytes; a piece beyond that has a chunk of its own.
        expect(steps).toBeLessThanOrEqual(bytes.length / 8 + at.length + 1);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the limit", () => {
  it("can change between frames", () => {
    const reader = new FrameReader(4096);
    const large = frameBytes({ type: frameType.method, channel: 0, payload: new Uint8Array(5000) });
    reader.append(fromHex("08 0000 00000000 ce"));
    expect(reader.next()).toBe(true);
    reader.frameMax = 131_072;
    reader.append(large);
    expect(reader.next()).toBe(true);
    expect(reader.end - reader.start).toBe(5000);
  });
});

describe("what is unparsed", () => {
  it("is what was appended and not handed out", () => {
    fc.assert(
      fc.property(frames, places, (list, at) => {
        const reader = new FrameReader(frameMax);
        let appended = 0;
        for (const chunk of cut(streamOf(list), at)) {
          reader.append(chunk);
          appended += chunk.length;
          expect(reader.unparsed).toBe(appended);
        }
        let before = reader.unparsed;
        while (reader.next()) {
          expect(reader.unparsed).toBeLessThan(before);
          before = reader.unparsed;
        }
        expect(reader.unparsed).toBe(0);
      }),
    );
  });

  it("is copied once, however often the reader is detached", () => {
    const reader = new FrameReader(frameMax);
    const one = frameBytes({ type: frameType.method, channel: 1, payload: fromHex("01") });
    reader.append(one);
    reader.append(one);
    reader.detach();
    expect(reader.next()).toBe(true);
    const copy = reader.bytes;
    reader.detach();
    reader.detach();
    expect(reader.next()).toBe(true);
    const second = reader.bytes;
    expect(copy).not.toBe(one);
    expect(second).not.toBe(one);
    expect(second).not.toBe(copy);
    reader.append(one);
    reader.detach();
    expect(reader.next()).toBe(true);
    expect(Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString("hex")).toBe("01");
  });

  it("costs no more per chunk when many chunks wait", () => {
    const reader = new FrameReader(frameMax);
    const collector = new FrameCollector();
    const count = 200_000;
    const heartbeat = fromHex("08 0000 00000000 ce");
    for (let i = 0; i < count; i++) {
      reader.append(heartbeat);
      if (i % 1000 === 0) reader.detach();
    }
    expect(reader.unparsed).toBe(8 * count);
    collector.drain(reader);
    expect(collector.lines.length).toBe(count);
  });
});
