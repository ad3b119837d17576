import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewOf } from "../wire/bytes.ts";
import { Slab } from "./slab.ts";

describe("Slab", () => {
  it("keeps every copy as it was, whatever becomes of the source and of later copies", () => {
    const size = fc.oneof(fc.nat(4), fc.nat(170), fc.nat(9000), fc.nat(70_000));
    fc.assert(
      fc.property(fc.array(fc.tuple(size, fc.boolean(), fc.nat(9)), { maxLength: 60 }), (all) => {
        const slab = new Slab();
        const copies = all.map(([size, viewed, behind], index) => {
          const source = new Uint8Array(size + 1 + behind).fill(index, 1, size + 1);
          const copy = slab.copy(source, 1, size + 1, viewed ? viewOf(source) : undefined);
          source.fill(255);
          return copy;
        });
        copies.forEach((copy, index) => {
          expect(copy.length).toBe(all[index]?.[0]);
          expect(copy.every((byte) => byte === index)).toBe(true);
        });
      }),
      { numRuns: 30 },
    );
  });

  it("gives small copies memory of their own where arrays are cheap", () => {
    const slab = new Slab(64);
    const source = Uint8Array.from({ length: 200 }, (_, index) => index);
    for (const size of [0, 1, 32, 33, 64]) {
      const copy = slab.copy(source, 3, 3 + size, viewOf(source));
      expect(copy).toEqual(source.slice(3, 3 + size));
      expect(copy.buffer.byteLength).toBe(size);
    }
    expect(slab.copy(source, 0, 65).buffer.byteLength).toBeGreaterThan(65);
  });

  it("lets small copies share memory, and gives a large one its own", () => {
    const slab = new Slab();
    const source = new Uint8Array(100_000);
    expect(slab.copy(source, 0, 10).buffer).toBe(slab.copy(source, 0, 10).buffer);
    expect(slab.copy(source, 0, 50_000).buffer.byteLength).toBe(50_000);
  });

  it.each([8, 64, 20_000])("copies %i bytes of a Node Buffer, whose slice() would be a view", (size) => {
    const source = Buffer.alloc(size, 7);
    const copy = new Slab().copy(source, 0, size);
    source.fill(0);
    expect(copy).toEqual(new Uint8Array(size).fill(7));
    expect(Buffer.isBuffer(copy)).toBe(false);
  });
});
