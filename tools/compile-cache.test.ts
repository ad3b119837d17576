import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fillCompileCache } from "./compile-cache.ts";

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(path.join(tmpdir(), "leveret-compile-cache-"));
});
afterEach(() => rmSync(cache, { recursive: true }));

/** Whether Node loads what strips types, to load a program. Plain JavaScript, so that nothing else is stripped. */
async function strips(program: string): Promise<boolean> {
  const code = `await import(${JSON.stringify(pathToFileURL(program).href)}).catch(() => {});
    console.log(process.moduleLoadList.some((name) => name.includes("amaro")));`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@leveret/source", "--input-type=module", "--eval", code],
    { env: { ...process.env, NODE_COMPILE_CACHE: cache, NODE_OPTIONS: "" } },
  );
  return JSON.parse(stdout) as boolean;
}

it("has nothing left to strip when a thread starts", async () => {
  const program = fileURLToPath(import.meta.resolve("@leveret/core/blocking"));
  expect(await strips(program)).toBe(true);
  await fillCompileCache([program], cache);
  expect(await strips(program)).toBe(false);
});

it("says why when a program cannot be loaded", async () => {
  await expect(fillCompileCache([path.join(cache, "no-such-program.ts")], cache)).rejects.toThrow("no-such-program.ts");
});
