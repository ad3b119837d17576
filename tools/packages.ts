/**
 * Builds the packages, and checks what would be published:
 *
 *     node tools/packages.ts build
 *     node tools/packages.ts check     builds, packs, and looks at the result as users would
 */

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { repositoryRoot, run, runOrThrow } from "./lib/process.ts";
import { whereAvailable } from "./lib/unavailable.ts";
import { checkLoading, checkTypes, install } from "./packages/installed.ts";
import { checkJsr } from "./packages/jsr.ts";
import { checkNpm } from "./packages/npm.ts";
import { checkUse } from "./packages/used.ts";
import { type Package, publishedPackages } from "./packages/workspace.ts";
import { schedule } from "./test/schedule.ts";

const lanes = 2;
const packages = publishedPackages();

function forEachPackage(check: (one: Package) => Promise<string[]>): Promise<string[]> {
  return schedule(
    packages.map((one) => ({ run: () => check(one) })),
    lanes,
  ).then((problems) => problems.flat());
}

async function build({ name, folder }: Package): Promise<string[]> {
  const { code, output } = await run("node_modules/.bin/tsup", [], { cwd: folder });
  return code === 0 ? [] : [`${name} cannot be built:\n${output}`];
}

/** Packs all packages as they would be published, and returns the tarballs in the order of the packages. */
async function pack(folder: string): Promise<string[]> {
  const manifest = JSON.parse(readFileSync(path.join(repositoryRoot, "package.json"), "utf8")) as {
    packageManager: string;
  };
  const filters = packages.flatMap(({ name }) => ["--filter", name]);
  await runOrThrow("npx", ["-y", manifest.packageManager, "-r", ...filters, "pack", "--pack-destination", folder]);
  return packages.map(({ name, version }) =>
    path.join(folder, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`),
  );
}

async function lint(name: string, tarball: string): Promise<string[]> {
  const publint = await run("node_modules/.bin/publint", [tarball, "--strict"]);
  const attw = await run("node_modules/.bin/attw", [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"]);
  return [
    ...(publint.code === 0 ? [] : [`publint on ${name}:\n${publint.output}`]),
    ...(attw.code === 0 ? [] : [`attw on ${name}:\n${attw.output}`]),
  ];
}

async function check(): Promise<string[]> {
  const unbuilt = await forEachPackage(build);
  if (unbuilt.length > 0) return unbuilt;
  const folder = await mkdtemp(path.join(tmpdir(), "leveret-packages-"));
  try {
    const tarballs = await pack(folder);
    await install(packages, tarballs, folder);
    const looks = [
      ...packages.map(({ name }, index) => ({ run: () => lint(name, tarballs[index] as string) })),
      { run: () => checkLoading(packages, folder) },
      { run: () => checkTypes(packages, folder) },
      { run: () => checkUse(folder) },
      { run: () => checkJsr(packages, folder) },
      { run: () => whereAvailable("the packages were not installed by npm", () => checkNpm(tarballs, folder)) },
    ];
    return (await schedule(looks, lanes)).flat();
  } finally {
    await rm(folder, { recursive: true });
  }
}

const [command] = process.argv.slice(2);
if (command !== "build" && command !== "check") {
  console.error("usage: node tools/packages.ts build|check");
  process.exit(2);
}
const problems = await (command === "build" ? forEachPackage(build) : check());
for (const problem of problems) console.error(problem);
console.log(`packages: ${packages.map(({ name }) => name).join(", ")}: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
