import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle, checkBundle } from "./bundle.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "leveret-bundle-"));
});

afterAll(() => rm(folder, { recursive: true }));

/** Bundles an entry that re-exports a module, so that what is found is found through imports. */
async function problemsOf(text: string): Promise<string[]> {
  await writeFile(path.join(folder, "module.ts"), text);
  await writeFile(path.join(folder, "entry.ts"), 'export * from "./module.ts";');
  return checkBundle(await bundle(path.join(folder, "entry.ts")));
}

describe("the check of the bundle", () => {
  it("accepts plain values of the language", async () => {
    const text = `
      class Thing { #size = 0; process = new.target; get window() { return this.#size; } }
      export const { a, b: [c = 1], ...rest } = { a: new Uint8Array(1), b: [2], performance: 3 };
      export function read(input: unknown, ...more: unknown[]): unknown {
        try { return input instanceof Date ? new Date(input) : new Thing().window + more.length; }
        catch (error) { throw new RangeError("no", { cause: error }); }
      }`;
    expect(await problemsOf(text)).toEqual([]);
  });

  it.each([
    ['import { readFileSync } from "node:fs"; export const a = readFileSync;', "imports node:fs"],
    ["export const a = setTimeout(() => {}, 1);", "uses setTimeout"],
    ["export const a = process.env;", "uses process"],
    ["export const a = Buffer.alloc(1);", "uses Buffer"],
    ["export const a = typeof window;", "uses window"],
    ["export const a = performance.now();", "uses performance"],
    ["console.log(1);", "uses console"],
    ["queueMicrotask(() => {});", "uses queueMicrotask"],
    ["export const a = Date.now();", "uses Date.now (clock)"],
    ["export const a = new Date();", "uses new Date() (clock)"],
    ["export const a = Math.random();", "uses Math.random (randomness)"],
    ["export async function a() {}", "uses async (promise)"],
    ["export const a = Promise.resolve();", "uses Promise"],
    ["export const a = globalThis['process'];", "uses globalThis"],
    ["export const a = { setTimeout };", "uses setTimeout"],
  ])("refuses %s", async (text, problem) => {
    expect(await problemsOf(text)).toContain(problem);
  });
});
