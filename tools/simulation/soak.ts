/**
 * Runs the simulation for as long as it is told: `npm run soak -- --seconds 60`.
 *
 *     --tier NAME      engine (default): engines and nothing else, thousands of seeds a minute; client: the promise client;
 *                      recovery: the promise client, whose connections recover
 *     --seed N         the first seed (default 1); with --steps or --without: replays this one run
 *     --seeds N        how many seeds, or
 *     --seconds N      for how long (default 60)
 *     --steps N        actions and faults in a run (default 120)
 *     --without a,b    what does not happen
 *     --keep-going     does not stop at the first violation
 *
 * It prints its progress, and for every violation the line that replays it. It exits with 1 when there was one.
 */

import { parseArgs } from "node:util";
import { clientTier, engineTier, recoveryTier, type Tier, type TierPlan } from "./tiers.ts";

const reportEvery = 5_000;

const { values } = parseArgs({
  options: {
    tier: { type: "string", default: engineTier.name },
    seed: { type: "string", default: "1" },
    seeds: { type: "string" },
    seconds: { type: "string", default: "60" },
    steps: { type: "string" },
    without: { type: "string" },
    "keep-going": { type: "boolean", default: false },
  },
});

const tier = [engineTier, clientTier, recoveryTier].find(({ name }) => name === values.tier);
if (tier === undefined) throw new Error(`--tier is engine, client or recovery, not ${values.tier}`);
process.exitCode = await soak(tier);

async function soak(chosen: Tier): Promise<number> {
  const firstSeed = Number(values.seed);
  const isReplay = values.steps !== undefined || values.without !== undefined;
  const seeds = values.seeds === undefined ? (isReplay ? 1 : Infinity) : Number(values.seeds);
  const without = new Set((values.without ?? "").split(",").filter((name) => name !== ""));
  const started = performance.now();
  const until = started + (values.seeds === undefined ? Number(values.seconds) * 1000 : Infinity);
  const totals = new Map<string, number>();
  let count = 0;
  let violations = 0;
  let reported = started;

  const reportProgress = (): void => {
    reported = performance.now();
    const seconds = (reported - started) / 1000;
    const sums = [...totals].map(([name, sum]) => `${sum} ${name}`).join(", ");
    const pace = Math.round((count / seconds) * 60);
    console.log(`${seconds.toFixed(0)} s: ${count} seeds (${pace}/min), ${sums}; ${violations} violations`);
  };

  for (let seed = firstSeed; seed < firstSeed + seeds && performance.now() < until; seed += 1) {
    const plan: TierPlan = { seed, steps: Number(values.steps ?? chosen.defaultSteps), without };
    try {
      for (const [name, value] of Object.entries(await chosen.run(plan))) {
        totals.set(name, (totals.get(name) ?? 0) + value);
      }
    } catch (error) {
      violations += 1;
      console.log(`seed ${seed}: ${(error as Error).message}`);
      const smallest = isReplay ? plan : await chosen.shrink(plan, error as Error);
      console.log(`replay: npm run soak -- ${chosen.replayArguments(smallest)}`);
      if (isReplay) console.log((error as Error).stack);
      if (!values["keep-going"]) seed = Infinity;
    }
    count += 1;
    if (performance.now() - reported > reportEvery) reportProgress();
  }
  reportProgress();
  return violations === 0 ? 0 : 1;
}
