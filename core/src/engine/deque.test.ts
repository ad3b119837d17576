import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deque } from "./deque.ts";

describe("Deque", () => {
  it("behaves as an array that is pushed and shifted", () => {
    const command = fc.oneof(
      { weight: 5, arbitrary: fc.nat(1000).map((count) => ({ push: count })) },
      { weight: 5, arbitrary: fc.nat(1000).map((count) => ({ shift: count })) },
      { weight: 1, arbitrary: fc.constant("drain" as const) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const deque = new Deque<number>();
        let model: number[] = [];
        let next = 0;
        for (const each of commands) {
          if (each === "drain") {
            expect(deque.drain()).toEqual(model);
            model = [];
          } else if ("push" in each) {
            for (let i = 0; i < each.push; i += 1) {
              deque.push(next);
              model.push(next);
              next += 1;
            }
          } else {
            for (let i = 0; i < each.shift; i += 1) {
              expect(deque.peek()).toBe(model[0]);
              expect(deque.shift()).toBe(model.shift());
            }
          }
          expect(deque.size).toBe(model.length);
          expect([...deque]).toEqual(model);
        }
      }),
    );
  });
});
