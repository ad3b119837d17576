/** The gates that other people's programs keep: that our settings make them refuse what they should. */

import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { repositoryRoot, run } from "../lib/process.ts";

const inRepository = (name: string) => path.join(repositoryRoot, name);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "leveret-gates-"));
  await writeFile(path.join(folder, "package.json"), '{ "type": "module" }');
  await symlink(inRepository("node_modules"), path.join(folder, "node_modules"));
});

afterEach(() => rm(folder, { recursive: true }));

async function compile(project: string, include: readonly string[], text: string): Promise<string> {
  await writeFile(path.join(folder, "a.ts"), text);
  const settings = { extends: inRepository(project), include: ["a.ts", ...include.map(inRepository)], exclude: [] };
  await writeFile(path.join(folder, "tsconfig.json"), JSON.stringify(settings));
  return (await run(inRepository("node_modules/.bin/tsc"), ["--pretty", "false", "-p", folder])).output;
}

describe("the types of wire, engine and recovery", () => {
  const check = (text: string) => compile("core/tsconfig.pure.json", ["core/types/text-encoding.d.ts"], text);

  it("know the language and text encoding", async () => {
    expect(
      await check("export const a: Uint8Array = new TextEncoder().encode('a'); export const b: Date = new Date(0);"),
    ).toBe("");
  });

  it.each([
    "setTimeout",
    "queueMicrotask",
    "console",
    "process",
    "Buffer",
    "AbortSignal",
    "performance",
    "fetch",
    "crypto",
  ])("do not know %s", async (name) => {
    expect(await check(`export const a: unknown = ${name};`)).toMatch(
      new RegExp(`error TS\\d+: Cannot find name '${name}'`),
    );
  });
});

describe("the types of the client", () => {
  const check = (text: string) => compile("core/tsconfig.build.json", ["core/types"], text);

  it("know promises, cancellation and the microtask queue", async () => {
    const text = `export async function a(signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      queueMicrotask(() => {});
      await using b: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };
      await b[Symbol.asyncDispose]();
    }`;
    expect(await check(text)).toBe("");
  });

  it.each(["setTimeout", "console", "process", "Buffer", "performance", "fetch"])("do not know %s", async (name) => {
    expect(await check(`export const a: unknown = ${name};`)).toMatch(
      new RegExp(`error TS\\d+: Cannot find name '${name}'`),
    );
  });
});

describe("the linter", () => {
  const settings = JSON.stringify({ extends: inRepository("tsconfig.base.json"), include: ["*.ts"] });

  it.each([
    ["no-floating-promises", "export function a(b: Promise<void>): void { b.then(() => {}); }"],
    ["no-misused-promises", "export function a(b: () => Promise<void>): void { [1].forEach(b); }"],
    ["await-thenable", "export async function a(): Promise<void> { await 1; }"],
    ["no-explicit-any", "export const a = (b: any): unknown => b;"],
    ["no-default-export", "export default 1;"],
    ["ban-ts-comment", "// @ts-ignore\nexport const a: string = 1;"],
    ["no-top-level-await", "export const a: void = await Promise.resolve();"],
    ["no-console", "console.log(1);"],
    ["no-focused-tests", 'import { expect, it } from "vitest"; it.only("a", () => expect(1).toBe(1));', "a.test.ts"],
    ["expect-expect", 'import { it } from "vitest"; it("a", () => {});', "a.test.ts"],
  ])("knows %s", async (rule, text, file = "a.ts") => {
    await writeFile(path.join(folder, file), text);
    await writeFile(path.join(folder, "tsconfig.json"), settings);
    const args = ["--type-aware", "-c", inRepository(".oxlintrc.json"), "-f", "unix", file];
    const { code, output } = await run(inRepository("node_modules/.bin/oxlint"), args, { cwd: folder });
    expect(output).toContain(`(${rule})]`);
    expect(code).toBe(1);
  });
});
