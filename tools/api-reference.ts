/**
 * Makes the API reference from the docstrings of everything that is exported. Fails when an export has none, or a link
 * in one leads nowhere.
 *
 *     node tools/api-reference.ts [FOLDER]    by default into docs/api, which is not kept in the repository
 *     node tools/api-reference.ts check       keeps nothing
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { repositoryRoot, run } from "./lib/process.ts";
import { publishedPackages } from "./packages/workspace.ts";

const coreName = "@leveret/core";
const home = path.join(repositoryRoot, "tools/api-reference");

/** What can be imported, by the source behind it; what others export again comes first. */
function modules(): ReadonlyMap<string, string> {
  const packages = publishedPackages().sort((a, b) => Number(b.name === coreName) - Number(a.name === coreName));
  return new Map(
    packages.flatMap(({ folder, entries, sources }) =>
      sources.map((source, index): [string, string] => [path.join(folder, source), entries[index] as string]),
    ),
  );
}

/** Writes the reference, and returns what is wrong with the docstrings; empty when nothing is. */
async function makeReference(folder: string): Promise<string> {
  const entries = modules();
  const folderOf = (source: string): string => path.relative(repositoryRoot, path.dirname(source));
  const names = Object.fromEntries([...entries].map(([source, name]) => [folderOf(source), name]));
  const { code, output } = await run(
    path.join(home, "node_modules/.bin/typedoc"),
    [
      ...["--options", path.join(home, "typedoc.json"), "--out", folder],
      ...publishedPackages().flatMap(({ name }) => ["--packagesRequiringDocumentation", name]),
      ...entries.keys(),
    ],
    { env: { MODULE_NAMES: JSON.stringify(names) }, timeout: 300_000 },
  );
  return code === 0 ? "" : output;
}

if (import.meta.main) {
  const [argument = "docs/api"] = process.argv.slice(2);
  const isCheck = argument === "check";
  const folder = isCheck ? mkdtempSync(path.join(tmpdir(), "leveret-api-")) : path.resolve(argument);
  const problems = await makeReference(folder);
  if (isCheck) rmSync(folder, { recursive: true });
  console.log(problems === "" ? `${isCheck ? "checked" : "wrote"} the API reference` : problems);
  process.exit(problems === "" ? 0 : 1);
}
