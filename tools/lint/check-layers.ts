/** Holds all sources of the packages against the rules of their layers and packages: `node tools/lint/check-layers.ts`. */

import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "../lib/process.ts";
import { checkDependencies, type Manifest } from "./dependencies.ts";
import { checkLayer, type Violation } from "./layers.ts";

const read = (file: string) => readFileSync(path.join(repositoryRoot, file), "utf8");

function checkFile(file: string): Violation[] {
  const text = read(file);
  const [folder, ...rest] = file.split(path.sep);
  if (folder === "docs") return checkLayer(file, text);
  const manifest = JSON.parse(read(`${folder}/package.json`)) as Manifest;
  const foreign = checkDependencies(manifest, rest.join("/"), text).map((violation) => ({ ...violation, file }));
  return [...checkLayer(file, text), ...foreign];
}

const files = globSync(["{core,adapter-*,conformance}/src/**/*.ts", "docs/examples/**/*.ts"], { cwd: repositoryRoot });
const violations = files.sort().flatMap(checkFile);

for (const { file, line, message } of violations) console.error(`${file}:${line} ${message}`);
console.log(`layers: ${files.length} files, ${violations.length} violations`);
process.exit(violations.length === 0 ? 0 : 1);
