import { expect, it } from "vitest";
import { PublishWindow } from "./publish-window.ts";

it("lets in what has room, in the order of the calls, and nothing that was given up", () => {
  const window = new PublishWindow();
  const gone: string[] = [];
  const enter = (name: string, size = 1) => window.enter(size, () => gone.push(name));
  for (let i = 0; i < 1000; i += 1) expect(enter("full")).toBeUndefined();
  gone.length = 0;
  const [first, second] = [enter("first"), enter("second")];
  window.behind(() => gone.push("behind"));
  enter("third");
  expect(window.count).toBe(1003);
  if (first === undefined || second === undefined) throw new Error("There was room");
  expect(window.giveUp(first)).toBe(true);
  expect(window.giveUp(first)).toBe(false);
  expect(window.count).toBe(1002);
  expect(gone).toEqual([]);
  window.leave(1);
  expect(gone).toEqual(["second"]);
  expect(window.giveUp(second)).toBe(false);
  window.leave(1);
  expect(gone).toEqual(["second", "behind", "third"]);
  for (let i = 0; i < 1000; i += 1) window.leave(1);
  expect(window.count).toBe(0);
  window.behind(() => gone.push("last"));
  expect(gone.at(-1)).toBe("last");
});

it("goes on counting a little of what was given up, and nothing once its turn has come", () => {
  const window = new PublishWindow();
  for (let i = 0; i < 1000; i += 1) window.enter(0, () => {});
  const large = 63 * 1024 * 1024;
  for (let i = 0; i < 100; i += 1) window.giveUp(window.enter(large, () => {}) as never);
  window.enter(large, () => {});
  expect(() => window.enter(large, () => {})).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
  for (let i = 0; i < 1000; i += 1) window.leave(0);
  window.leave(large);
  expect(window.count).toBe(0);
});
