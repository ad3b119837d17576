/** The packages as npm installs them, into an empty project: what they depend on can be had, and their commands run. */

import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { run } from "../lib/process.ts";
import { UnavailableError } from "../lib/unavailable.ts";

const registryIsAway = /\b(?:ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH)\b/;
// Told how much to say, as it says nothing at all below `npm test --silent`.
const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"];

/**
 * @returns what is wrong.
 * @throws UnavailableError when the registry cannot be reached.
 */
export async function checkNpm(tarballs: readonly string[], folder: string): Promise<string[]> {
  const project = path.join(folder, "npm");
  await mkdir(project);
  await writeFile(path.join(project, "package.json"), "{}");
  const { code, output } = await run("npm", ["install", ...flags, ...tarballs], { cwd: project });
  if (code !== 0) {
    if (registryIsAway.test(output)) throw new UnavailableError("npm cannot reach its registry");
    return [`npm cannot install the packages:\n${output}`];
  }
  const problems = commandsIn(project, tarballs.length).map(async (name): Promise<string[]> => {
    const helped = await run(path.join(project, "node_modules/.bin", name), ["--help"], { env: { NODE_OPTIONS: "" } });
    return helped.code === 0 && helped.output.includes(name) ? [] : [`${name} --help fails:\n${helped.output}`];
  });
  return (await Promise.all(problems)).flat();
}

/** The commands that the packages themselves bring. */
function commandsIn(project: string, expected: number): string[] {
  const own = JSON.parse(readFileSync(path.join(project, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const names = Object.keys(own.dependencies);
  if (names.length !== expected) throw new Error(`npm installed ${names.join(", ")}`);
  return names.flatMap((name) => {
    const manifest = JSON.parse(readFileSync(path.join(project, "node_modules", name, "package.json"), "utf8")) as {
      readonly bin?: Readonly<Record<string, string>>;
    };
    return Object.keys(manifest.bin ?? {});
  });
}
