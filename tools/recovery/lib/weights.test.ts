import { expect, it } from "vitest";
import { trendOf, type Weight } from "./weights.ts";

const mebibyte = 1024 * 1024;

function weights(heap: (minute: number) => number): Weight[] {
  return Array.from({ length: 60 }, (_, minute) => ({ at: minute * 60_000, rss: 0, heap: heap(minute), records: 1 }));
}

it("is flat where memory goes up and down, or has grown at the start", () => {
  const trend = trendOf(
    weights((minute) => (20 + (minute % 2) - 10 / (minute + 1)) * mebibyte),
    "heap",
  );
  expect(trend?.isFlat).toBe(true);
  expect(Math.abs(trend?.slope ?? Infinity)).toBeLessThan(mebibyte / 10);
});

it("is not flat where memory grows all the time", () => {
  const trend = trendOf(
    weights((minute) => (20 + minute / 4) * mebibyte),
    "heap",
  );
  expect(trend).toMatchObject({ isFlat: false, slope: expect.closeTo(mebibyte / 4, 0) });
});

it("does not tell from a few samples", () => {
  expect(trendOf(weights(() => 1).slice(0, 6), "heap")).toBeUndefined();
});
