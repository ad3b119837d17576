import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchSize, largestCopied, WriteQueue } from "./write-queue.ts";

const chunk = (size: number, fill = 0): Uint8Array => new Uint8Array(size).fill(fill);

/** What the queue gives out, copied, until it is empty. */
function drain(queue: WriteQueue): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let bytes = queue.next(); bytes !== undefined; bytes = queue.next()) {
    pieces.push(bytes.slice());
    queue.sent(bytes.length);
  }
  return pieces;
}

const sizes = (pieces: readonly Uint8Array[]): number[] => pieces.map((piece) => piece.length);

describe("the write queue", () => {
  it("gives out small chunks together", () => {
    const queue = new WriteQueue();
    queue.push([chunk(10, 1), chunk(20, 2)]);
    queue.push([chunk(30, 3)]);
    expect(drain(queue)).toEqual([Uint8Array.of(...chunk(10, 1), ...chunk(20, 2), ...chunk(30, 3))]);
  });

  it("gives out a single chunk as it is", () => {
    const queue = new WriteQueue();
    const only = chunk(10);
    queue.push([only]);
    expect(queue.next()).toBe(only);
  });

  it("gives out bodies together, with the frames around them: 64 of 64 KiB, or 4 of 1 MiB", () => {
    for (const bodySize of [65_536, 131_072 - 8]) {
      const queue = new WriteQueue();
      const count = (4 * 1024 * 1024) / bodySize;
      const chunks = Array.from({ length: count }, () => [chunk(56), chunk(bodySize)]).flat();
      queue.push(chunks);
      expect(sizes(drain(queue))).toEqual([sizes(chunks).reduce((sum, size) => sum + size, 0)]);
    }
  });

  it("gives out a large chunk as it is, and alone", () => {
    const queue = new WriteQueue();
    const large = chunk(largestCopied + 1);
    queue.push([chunk(1), chunk(2), large, chunk(3), chunk(4)]);
    expect(queue.next()).toHaveLength(3);
    expect(queue.next()).toBe(large);
    expect(queue.next()).toHaveLength(7);
  });

  it("gives out no more at once than its memory holds", () => {
    const queue = new WriteQueue();
    const size = batchSize / 32;
    queue.push(Array.from({ length: 65 }, () => chunk(size)));
    expect(sizes(drain(queue))).toEqual([batchSize, batchSize, size]);
  });

  it("is empty in between, again and again", () => {
    const queue = new WriteQueue();
    for (let round = 0; round < 3; round += 1) {
      expect(queue.next()).toBeUndefined();
      expect(queue.next()).toBeUndefined();
      queue.push([chunk(5)]);
      expect(queue.next()).toHaveLength(5);
    }
  });

  it("counts what was not sent, also of a chunk that was sent in part", () => {
    const queue = new WriteQueue();
    queue.push([chunk(10), chunk(0), chunk(5)]);
    expect(queue.size).toBe(15);
    queue.next();
    queue.sent(3);
    expect(queue.size).toBe(12);
    queue.clear();
    expect(queue.size).toBe(0);
    expect(queue.next()).toBeUndefined();
  });

  it("gives out every byte in order, however it is filled and emptied", () => {
    const size = fc.oneof(fc.nat(100), fc.nat(largestCopied / 4), fc.constantFrom(0, largestCopied, largestCopied + 1));
    const step = fc.oneof(fc.array(size, { maxLength: 8 }), fc.constant("next" as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const queue = new WriteQueue();
        let pushed = 0;
        let given = 0;
        const counted = (length: number): Uint8Array => {
          const bytes = new Uint8Array(length);
          for (let at = 0; at < length; at += 1) bytes[at] = pushed + at;
          pushed += length;
          return bytes;
        };
        const take = (): boolean => {
          const bytes = queue.next();
          if (bytes === undefined) return false;
          const first = given;
          expect(bytes.findIndex((byte, index) => byte !== ((first + index) & 0xff))).toBe(-1);
          given += bytes.length;
          queue.sent(bytes.length);
          return true;
        };
        for (const said of steps) {
          if (said === "next") take();
          else queue.push(said.map(counted));
        }
        while (take());
        expect(queue.size).toBe(0);
        expect(given).toBe(pushed);
      }),
      { numRuns: 30 },
    );
  });
});
