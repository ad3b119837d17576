import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LazyMap } from "./lazy-map.ts";

const step = fc.record({
  type: fc.constantFrom("set", "delete", "has", "clear"),
  key: fc.integer({ min: 0, max: 5 }),
  value: fc.string(),
});

describe("a map that is made with its first element", () => {
  it("is a Map", () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const lazy = new LazyMap<number, string>();
        const plain = new Map<number, string>();
        for (const { type, key, value } of steps) {
          if (type === "set") {
            lazy.set(key, value);
            plain.set(key, value);
          } else if (type === "delete") expect(lazy.delete(key)).toBe(plain.delete(key));
          else if (type === "has") expect([lazy.has(key), lazy.get(key)]).toEqual([plain.has(key), plain.get(key)]);
          else {
            lazy.clear();
            plain.clear();
          }
          expect(lazy.size).toBe(plain.size);
          expect([...lazy]).toEqual([...plain]);
          expect([...lazy.keys()]).toEqual([...plain.keys()]);
          expect([...lazy.values()]).toEqual([...plain.values()]);
        }
      }),
    );
  });

  it("shares nothing with another one", () => {
    const one = new LazyMap<string, number>();
    one.set("a", 1);
    one.clear();
    one.set("b", 2);
    expect(new LazyMap<string, number>().size).toBe(0);
    expect([...one]).toEqual([["b", 2]]);
  });

  it("ends the iterations that are under way when it is cleared", () => {
    const map = new LazyMap<number, number>();
    for (const n of [1, 2, 3]) map.set(n, n);
    const seen: number[] = [];
    for (const n of map.keys()) {
      seen.push(n);
      map.clear();
    }
    expect(seen).toEqual([1]);
  });
});
