import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChannelNumbers } from "./channel-numbers.ts";

describe("ChannelNumbers", () => {
  it("hands out the lowest number that is free, as a list of flags would", () => {
    const max = 8;
    const command = fc.record({
      what: fc.constantFrom("take" as const, "claim" as const, "release" as const),
      number: fc.integer({ min: -1, max: max + 2 }),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const numbers = new ChannelNumbers(max);
        const taken = new Set<number>();
        for (const { what, number } of commands) {
          if (what === "take") {
            const lowest = [1, 2, 3, 4, 5, 6, 7, 8].find((candidate) => !taken.has(candidate));
            expect(numbers.take()).toBe(lowest);
            if (lowest !== undefined) taken.add(lowest);
          } else if (what === "claim") {
            const free = number >= 1 && number <= max && !taken.has(number);
            expect(numbers.claim(number)).toBe(free);
            if (free) taken.add(number);
          } else if (taken.delete(number)) {
            numbers.release(number);
          }
          expect(numbers.count).toBe(taken.size);
        }
      }),
    );
  });

  it.each([0, 1.5, -1, 65_536, Number.NaN, "1" as unknown as number])("has no number %s to claim", (number) => {
    expect(new ChannelNumbers(65_535).claim(number)).toBe(false);
  });
});
