import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordMap } from "./record-map.ts";

/** What both maps hold after the same steps: `n` sets a name, `-n` deletes it. */
function bothAfter(steps: readonly number[]): [RecordMap<number>, Map<string, number>] {
  const map = new RecordMap<number>();
  const plain = new Map<string, number>();
  for (const [at, step] of steps.entries()) {
    const name = `q.${Math.abs(step)}`;
    if (step > 0) for (const each of [map, plain]) each.set(name, at);
    else expect(map.delete(name)).toBe(plain.delete(name));
    expect(map.size).toBe(plain.size);
  }
  return [map, plain];
}

describe("RecordMap", () => {
  it("is a map, also where names come and go thousands of times", () => {
    const step = fc.integer({ min: -40, max: 40 }).filter((n) => n !== 0);
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (pattern) => {
        const [map, plain] = bothAfter(Array.from({ length: 15 }, () => pattern).flat());
        expect([...map]).toEqual([...plain]);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps the order of the others when its table is made anew", () => {
    const others = Array.from({ length: 100 }, (_, index) => index + 2);
    const [map, plain] = bothAfter([...others, ...Array.from({ length: 1200 }, () => [1, -1]).flat()]);
    expect([...map.keys()]).toEqual(others.map((n) => `q.${n}`));
    expect([...map]).toEqual([...plain]);
  });
});
