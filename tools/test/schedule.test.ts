import { expect, it } from "vitest";
import { schedule } from "./schedule.ts";

/** Tasks that note when they begin, and end when they are told. */
function track() {
  const begun: string[] = [];
  const enders = new Map<string, () => void>();
  const task = (name: string, needs?: string) => ({
    needs,
    run: () =>
      new Promise<string>((resolve) => {
        begun.push(name);
        enders.set(name, () => resolve(name));
      }),
  });
  const end = async (name: string) => {
    enders.get(name)?.();
    await new Promise(setImmediate);
  };
  return { begun, task, end };
}

it("runs so many at a time, in order, and gives the results in order", async () => {
  const { begun, task, end } = track();
  const all = schedule([task("a"), task("b"), task("c")], 2);
  expect(begun).toEqual(["a", "b"]);
  await end("b");
  expect(begun).toEqual(["a", "b", "c"]);
  await end("c");
  await end("a");
  expect(await all).toEqual(["a", "b", "c"]);
});

it("never runs two at once that need the same, and lets others pass", async () => {
  const { begun, task, end } = track();
  const all = schedule([task("a", "x"), task("b", "x"), task("c")], 2);
  expect(begun).toEqual(["a", "c"]);
  await end("c");
  expect(begun).toEqual(["a", "c"]);
  await end("a");
  expect(begun).toEqual(["a", "c", "b"]);
  await end("b");
  expect(await all).toEqual(["a", "b", "c"]);
});

it("fails as soon as a task does", async () => {
  await expect(schedule([{ run: () => Promise.reject(new Error("no")) }], 2)).rejects.toThrow("no");
});
