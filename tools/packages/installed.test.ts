import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkLoading, checkTypes, install } from "./installed.ts";
import type { Package } from "./workspace.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "leveret-installed-"));
  await install([], [], folder);
});

afterEach(() => rm(folder, { recursive: true }));

/** Makes a package with these modules and their declarations. */
async function make(modules: Record<string, string>, declarations: Record<string, string> = {}): Promise<Package[]> {
  const home = path.join(folder, "node_modules/hare");
  await mkdir(home, { recursive: true });
  const names = Object.keys(modules);
  const exports = Object.fromEntries(names.map((name) => [`./${name}`, `./${name}.js`]));
  await writeFile(path.join(home, "package.json"), JSON.stringify({ name: "hare", type: "module", exports }));
  for (const [name, text] of Object.entries(modules)) await writeFile(path.join(home, `${name}.js`), text);
  for (const [name, text] of Object.entries(declarations)) await writeFile(path.join(home, `${name}.d.ts`), text);
  const entries = names.map((name) => `hare/${name}`);
  return [{ name: "hare", version: "1.0.0", folder: home, entries, sources: [], foreignDependencies: [] }];
}

describe("loading packages", () => {
  it("is content with entries that share their classes", async () => {
    const packages = await make({ a: "export class Hare {}", b: 'export { Hare } from "./a.js";' });
    expect(await checkLoading(packages, folder)).toEqual([]);
  });

  it.each([
    ["a class that has two copies", { a: "export class Hare {}", b: "export class Hare {}" }, "has a Hare of its own"],
    ["an entry without exports", { a: "" }, "exports nothing"],
    ["an entry that cannot be required", { a: "export const hare = await 1;" }, "require"],
    ["a global of one runtime", { a: "export const hare = Deno.version;" }, "Deno is not defined"],
  ])("finds %s", async (_what, modules, problem) => {
    const problems = await checkLoading(await make(modules), folder);
    expect(problems.length).toBeGreaterThan(1);
    for (const text of problems) expect(text).toContain(problem);
  });
});

describe("compiling against packages", () => {
  it("finds a declaration that refers to what is not there", async () => {
    const modules = { a: "export const hare = 1;" };
    const sound = await make(modules, { a: "export declare const hare: number;" });
    expect(await checkTypes(sound, folder)).toEqual([]);
    const broken = await make(modules, { a: "export declare const hare: Leveret;" });
    expect((await checkTypes(broken, folder)).join("")).toContain("Cannot find name 'Leveret'");
  });

  it("finds a declaration that only a newer TypeScript understands", async () => {
    const tooNew = { a: "export declare function hare<T>(one: T, other: NoInfer<T>): T;" };
    const problems = await checkTypes(await make({ a: "export const hare = 1;" }, tooNew), folder);
    expect(problems.join("")).toMatch(/with tools.typescript52.*Cannot find name 'NoInfer'/s);
    expect(problems).toHaveLength(1);
  });
});
