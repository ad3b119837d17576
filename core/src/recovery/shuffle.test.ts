import fc from "fast-check";
import { expect, it } from "vitest";
import { shuffle } from "./shuffle.ts";

it("keeps every element, whatever the random numbers", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer()),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (items, stream) => {
        const shuffled = shuffle(items, () => stream.next().value);
        expect(shuffled.sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
      },
    ),
  );
});

it("reaches every order of three", () => {
  const orders = new Set<string>();
  for (const a of [0, 0.4, 0.9])
    for (const b of [0, 0.9]) {
      const numbers = [a, b];
      orders.add(shuffle([1, 2, 3], () => numbers.shift() ?? 0).join());
    }
  expect(orders.size).toBe(6);
});
