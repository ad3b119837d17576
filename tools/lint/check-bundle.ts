/** Bundles the engine and checks that it is pure, and that the client is no larger than agreed: `node tools/lint/check-bundle.ts`. */

import { bundle, checkBundle } from "./bundle.ts";
import { budgets, sizeInPage } from "./size.ts";

const entry = "core/src/index.ts";
const code = await bundle(entry);
const problems = checkBundle(code);
const sizes: string[] = [];
for (const { name, program, limit } of budgets) {
  const size = await sizeInPage(program);
  if (size > limit) problems.push(`${name}: ${size.toFixed(1)} kB in a page, and ${limit} kB are the limit`);
  sizes.push(`${size.toFixed(1)} kB with ${name}`);
}

for (const problem of problems) console.error(`${entry}, bundled: ${problem}`);
console.log(`size in a page, minified and compressed: ${sizes.join("; ")}`);
console.log(`bundle: ${entry} is ${Math.ceil(code.length / 1024)} KiB, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
