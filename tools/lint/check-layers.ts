/** Holds all sources of the packages against the rules of their layers: `node tools/lint/check-layers.ts`. */

import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "../lib/process.ts";
import { checkLayer } from "./layers.ts";

const files = globSync(["{core,adapter-*,conformance}/src/**/*.ts", "docs/examples/**/*.ts"], { cwd: repositoryRoot });
const violations = files
  .sort()
  .flatMap((file) => checkLayer(file, readFileSync(path.join(repositoryRoot, file), "utf8")));

for (const { file, line, message } of violations) console.error(`${file}:${line} ${message}`);
console.log(`layers: ${files.length} files, ${violations.length} violations`);
process.exit(violations.length === 0 ? 0 : 1);
