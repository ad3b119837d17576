/** Bundles the engine and checks that it is pure: `node tools/lint/check-bundle.ts`. */

import { bundle, checkBundle } from "./bundle.ts";

const entry = "core/src/index.ts";
const code = await bundle(entry);
const problems = checkBundle(code);

for (const problem of problems) console.error(`${entry}, bundled: ${problem}`);
console.log(`bundle: ${entry} is ${Math.ceil(code.length / 1024)} KiB, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
