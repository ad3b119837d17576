import { expect, it } from "vitest";
import { mayRepeat } from "./idempotence.ts";

it.each([
  "exchange.declare",
  "exchange.bind",
  "exchange.unbind",
  "queue.bind",
  "queue.unbind",
  "basic.qos",
  "tx.select",
])("%s may be made twice", (method) => {
  expect(mayRepeat(method, {})).toBe(true);
});

it.each(["queue.purge", "basic.get", "basic.consume", "tx.commit", "tx.rollback", "basic.recover", "channel.flow"])(
  "%s may not be made twice",
  (method) => {
    expect(mayRepeat(method, {})).toBe(false);
  },
);

it("a declaration may, unless the server makes up the name", () => {
  expect([mayRepeat("queue.declare", { queue: "q" }), mayRepeat("queue.declare", { queue: "" })]).toEqual([
    true,
    false,
  ]);
});

it("a deletion may, unless it has a condition", () => {
  expect(mayRepeat("queue.delete", { queue: "q" })).toBe(true);
  expect(mayRepeat("queue.delete", { queue: "q", ifEmpty: true })).toBe(false);
  expect(mayRepeat("exchange.delete", { ifUnused: true })).toBe(false);
});
