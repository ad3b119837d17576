/**
 * Checks the types of everything, one tsconfig after the other, two at a time: `node tools/typecheck.ts [FOLDER...]`.
 *
 * A build does not do this: tsup takes types as they come. Every project of the repository is found by its name, so a
 * new package is checked from its first day.
 */

import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { repositoryRoot, run } from "./lib/process.ts";

const folders = process.argv.slice(2);

const projects = globSync("{*,docs/examples/*}/tsconfig*.json", {
  cwd: repositoryRoot,
  exclude: ["node_modules", "**/node_modules"],
})
  .filter(
    (project) => folders.length === 0 || folders.some((folder) => project.startsWith(path.normalize(`${folder}/`))),
  )
  .sort();

if (projects.length === 0) {
  console.error(`no tsconfig in ${folders.join(", ")}`);
  process.exit(1);
}

const waiting = [...projects];
/** Sources belong to several projects; what is wrong with them is said once. */
const shown = new Set<string>();
let failed = 0;

async function checkNext(): Promise<void> {
  for (let project = waiting.shift(); project !== undefined; project = waiting.shift()) {
    const result = await run("node_modules/.bin/tsc", ["--pretty", "false", "-p", project]);
    if (result.code === 0) continue;
    failed += 1;
    const lines = result.output.trimEnd().split("\n");
    const news = lines.filter((line) => !shown.has(line));
    for (const line of news) shown.add(line);
    const rest = news.length < lines.length ? ["(and what was said above)"] : [];
    console.error([project, ...news, ...rest].join("\n  "));
  }
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, checkNext));
console.log(`types: ${projects.length - failed} of ${projects.length} projects are sound`);
process.exit(failed === 0 ? 0 : 1);
