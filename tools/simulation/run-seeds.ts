/** Runs seeds until one finds something. For mutants: the bundle of this file has a bug in it. Prints one JSON line. */

import { defaultSteps } from "../../conformance/src/simulation/engine-tier/plan.ts";
import { findViolation } from "../../conformance/src/simulation/engine-tier/run.ts";

const seeds = Number(process.argv[2]);
let result: { seed: number; found: string } | undefined;
for (let seed = 1; seed <= seeds && result === undefined; seed += 1) {
  const violation = findViolation({ seed, steps: defaultSteps, without: new Set() });
  if (violation !== undefined) result = { seed, found: violation.message };
}
console.log(JSON.stringify(result ?? { seed: seeds, found: "" }));
