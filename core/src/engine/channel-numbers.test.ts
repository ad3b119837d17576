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
        const taken = [] as (true | undefined)[];
        const numbers = new ChannelNumbers(max, taken);
        for (const { what, number } of commands) {
          if (what === "take") {
            const lowest = [1, 2, 3, 4, 5, 6, 7, 8].find((candidate) => !taken[candidate]);
            expect(numbers.lowest()).toBe(lowest);
            if (lowest !== undefined) taken[lowest] = true;
          } else if (what === "claim") {
            const free = number >= 1 && number <= max && !taken[number];
            expect(numbers.isFree(number)).toBe(free);
            if (free) taken[number] = true;
          } else if (taken[number]) {
            taken[number] = undefined;
            numbers.released(number);
          }
        }
      }),
    );
  });

  it.each([0, 1.5, -1, 65_536, Number.NaN, "1" as unknown as number])("never has the number %s", (number) => {
    expect(new ChannelNumbers(65_535, []).isFree(number)).toBe(false);
  });
});
