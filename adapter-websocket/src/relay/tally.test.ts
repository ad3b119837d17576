import { expect, it } from "vitest";
import { Tally } from "./tally.ts";

it("counts by name, and is full of one name where another has room", () => {
  const tally = new Tally();
  tally.add("a");
  expect(tally.isFull("a", 2)).toBe(false);
  tally.add("a");
  expect(tally.isFull("a", 2)).toBe(true);
  expect(tally.isFull("b", 2)).toBe(false);
  tally.remove("a");
  expect(tally.isFull("a", 2)).toBe(false);
});

it("is never full without a limit", () => {
  const tally = new Tally();
  tally.add("a");
  expect(tally.isFull("a", 0)).toBe(false);
});
