import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joined } from "./bytes.ts";
import { Output } from "./output.ts";
import { fromHex, taken, toHex } from "./testing/bytes.ts";

/** One thing to write, and the bytes that it is. */
const piece = fc.oneof(
  fc.nat(0xff).map((value) => ({ write: (out: Output) => out.octet(value), bytes: Buffer.from([value]) })),
  fc.nat(0xffff).map((value) => {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(value);
    return { write: (out: Output) => out.short(value), bytes };
  }),
  fc.integer().map((value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return { write: (out: Output) => out.long(value), bytes };
  }),
  fc.maxSafeInteger().map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(value));
    return { write: (out: Output) => out.longlong(value), bytes };
  }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return { write: (out: Output) => out.longlong(value), bytes };
  }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return { write: (out: Output) => out.longlong(value), bytes };
  }),
  fc.double().map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return { write: (out: Output) => out.double(value), bytes };
  }),
  fc.float().map((value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatBE(value);
    return { write: (out: Output) => out.float(value), bytes };
  }),
  fc.uint8Array({ maxLength: 300 }).map((value) => ({ write: (out: Output) => out.bytes(value), bytes: value })),
  fc.uint8Array({ maxLength: 300 }).map((value) => ({ write: (out: Output) => out.reference(value), bytes: value })),
);

const options = fc.record({ segmentSize: fc.constantFrom(16, 64, 1024, 65_536) });

describe("an output", () => {
  it("hands out what was written, in order, and never touches it again", () => {
    fc.assert(
      fc.property(options, fc.array(fc.array(piece, { maxLength: 30 }), { maxLength: 8 }), (chosen, turns) => {
        const out = new Output(chosen);
        const results: { handedOut: Uint8Array[]; copy: Uint8Array; expected: string }[] = [];
        for (const turn of turns) {
          for (const { write } of turn) write(out);
          const expected = joined(turn.map(({ bytes }) => bytes));
          expect(out.size).toBe(expected.length);
          const handedOut = out.take();
          expect(out.size).toBe(0);
          results.push({ handedOut, copy: joined(handedOut), expected: toHex(expected) });
        }
        for (const { handedOut, copy, expected } of results) {
          expect(toHex(copy)).toBe(expected);
          expect(toHex(joined(handedOut))).toBe(expected);
        }
      }),
    );
  });

  it("goes back to a mark as if nothing had been written since", () => {
    const some = fc.array(piece, { maxLength: 20 });
    fc.assert(
      fc.property(options, some, some, some, (chosen, before, undone, after) => {
        const out = new Output(chosen);
        for (const { write } of before) write(out);
        const size = out.size;
        const mark = out.mark();
        for (const { write } of undone) write(out);
        out.rollback(mark);
        expect(out.size).toBe(size);
        for (const { write } of after) write(out);
        expect(toHex(taken(out))).toBe(toHex(joined([...before, ...after].map(({ bytes }) => bytes))));
      }),
    );
  });

  it("does not go back behind what was taken", () => {
    const out = new Output();
    const mark = out.mark();
    out.octet(1);
    out.take();
    expect(() => out.rollback(mark)).toThrow(/taken/);
  });

  it("hands out nothing when nothing was written", () => {
    expect(new Output().take()).toEqual([]);
  });

  it("queues a reference without copying it", () => {
    const out = new Output();
    const body = fromHex("0102");
    out.octet(9);
    out.reference(body);
    const [first, second] = out.take();
    expect(toHex(first!)).toBe("09");
    expect(second).toBe(body);
  });

  it("has large segments in a burst only", () => {
    const out = new Output();
    const segment = (): number => out.reserve(1).length;
    out.octet(1);
    out.take();
    expect(segment()).toBeLessThanOrEqual(4096);
    for (let i = 0; i < 40_000; i++) out.longlong(i);
    out.take();
    expect(segment()).toBe(65_536);
    for (let i = 0; i < 20; i++) {
      out.octet(1);
      out.take();
    }
    expect(segment()).toBeLessThanOrEqual(4096);
  });

  it("shares a segment with others that write little, and never at the same time", () => {
    const [one, other, third] = [new Output(), new Output(), new Output()];
    one.long(1);
    const first = one.take()[0]!;
    other.long(2);
    third.long(3);
    const second = other.take()[0]!;
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteOffset).toBe(first.byteOffset + 4);
    expect(third.take()[0]!.buffer).not.toBe(first.buffer);
  });

  it("hands out what each of many wrote, whoever took last", () => {
    const command = fc.record({ who: fc.nat(3), what: fc.oneof({ weight: 4, arbitrary: piece }, fc.constant("take")) });
    fc.assert(
      fc.property(fc.array(command, { minLength: 20, maxLength: 400 }), (commands) => {
        const outs = Array.from({ length: 4 }, () => ({ out: new Output(), written: [] as Uint8Array[] }));
        const handedOut: { pieces: Uint8Array[]; expected: string }[] = [];
        for (const { who, what } of commands) {
          const { out, written } = outs[who]!;
          if (typeof what === "string") {
            handedOut.push({ pieces: out.take(), expected: toHex(joined(written.splice(0))) });
          } else {
            what.write(out);
            written.push(what.bytes);
          }
        }
        for (const { pieces, expected } of handedOut) expect(toHex(joined(pieces))).toBe(expected);
      }),
    );
  });

  it("takes room for what is larger than a segment", () => {
    const out = new Output({ segmentSize: 64 });
    const large = new Uint8Array(1000).fill(7);
    out.octet(1);
    out.bytes(large);
    expect(taken(out)).toEqual(Uint8Array.of(1, ...large));
  });
});
