/**
 * Runs seeds until one finds something. For mutants: the bundle of this file has a bug in it. Prints one JSON line, and
 * before each seed a dot to the standard error: who hangs prints none.
 */

import { clientTier, engineTier, recoveryTier } from "./tiers.ts";

const [tierName, first, count] = process.argv.slice(2);
const tier = [engineTier, clientTier, recoveryTier].find(({ name }) => name === tierName);
if (tier === undefined) throw new Error(`there is no tier ${tierName}`);
const firstSeed = Number(first);
const lastSeed = firstSeed + Number(count) - 1;
let result: { seed: number; found: string } | undefined;
for (let seed = firstSeed; seed <= lastSeed && result === undefined; seed += 1) {
  process.stderr.write(".");
  try {
    await tier.run({ seed, steps: tier.defaultSteps, without: new Set() });
  } catch (error) {
    result = { seed, found: error instanceof Error ? error.message : String(error) };
  }
}
console.log(JSON.stringify(result ?? { seed: lastSeed, found: "" }));
