/** What would be published on JSR: the sources of the packages that have a deno.json, as Deno itself checks them. */

import { existsSync } from "node:fs";
import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { repositoryRoot, run } from "../lib/process.ts";
import type { Package } from "./workspace.ts";

const deno = path.join(repositoryRoot, "node_modules/deno/deno");

/**
 * Rehearses `deno publish`: names, exports, types that others can read without the sources, and dependencies.
 *
 * @param folder Where the packages are installed. What JSR's packages take from npm is taken from there.
 */
export async function checkJsr(packages: readonly Package[], folder: string): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, folder: source } of packages) {
    if (!existsSync(path.join(source, "deno.json"))) continue;
    const home = path.join(folder, "jsr", name);
    await mkdir(home, { recursive: true });
    for (const file of ["deno.json", "README.md", "src"]) {
      await cp(path.join(source, file), path.join(home, file), { recursive: true });
    }
    await cp(path.join(repositoryRoot, "LICENSE"), path.join(home, "LICENSE"));
    await symlink(path.join(folder, "node_modules"), path.join(home, "node_modules"));
    const dependencies = Object.fromEntries(packages.map((one) => [one.name, one.version]));
    await writeFile(path.join(home, "package.json"), JSON.stringify({ dependencies }));
    const args = ["publish", "--dry-run", "--allow-dirty", "--no-provenance"];
    const { code, output } = await run(deno, args, { cwd: home });
    if (code !== 0 || !output.includes("src/index.ts"))
      problems.push(`deno publish would fail for ${name}:\n${output}`);
  }
  return problems;
}
