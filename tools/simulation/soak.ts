/**
 * Runs the simulation for as long as it is told: `npm run soak -- --seconds 60`.
 *
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
import {
  defaultSteps,
  type Feature,
  replayArguments,
  type SimulationPlan,
} from "../../conformance/src/simulation/engine-tier/plan.ts";
import { simulateEngines } from "../../conformance/src/simulation/engine-tier/run.ts";
import { shrink } from "../../conformance/src/simulation/engine-tier/shrink.ts";

const reportEvery = 5_000;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string" },
    seconds: { type: "string", default: "60" },
    steps: { type: "string" },
    without: { type: "string" },
    "keep-going": { type: "boolean", default: false },
  },
});

const firstSeed = Number(values.seed);
const isReplay = values.steps !== undefined || values.without !== undefined;
const seeds = values.seeds === undefined ? (isReplay ? 1 : Infinity) : Number(values.seeds);
const until = performance.now() + (values.seeds === undefined ? Number(values.seconds) * 1000 : Infinity);
const without = new Set((values.without ?? "").split(",").filter((name) => name !== "") as Feature[]);

const totals = { seeds: 0, connections: 0, faults: 0, published: 0, confirmed: 0, frames: 0, violations: 0 };
const started = performance.now();
let reported = started;

for (let seed = firstSeed; seed < firstSeed + seeds && performance.now() < until; seed += 1) {
  const plan: SimulationPlan = { seed, steps: Number(values.steps ?? defaultSteps), without };
  try {
    const report = simulateEngines(plan);
    totals.connections += report.connections;
    totals.faults += report.faults;
    totals.published += report.published;
    totals.confirmed += report.confirmed;
    totals.frames += report.frames;
  } catch (error) {
    totals.violations += 1;
    reportViolation(plan, error as Error);
    if (!values["keep-going"]) break;
  }
  totals.seeds += 1;
  if (performance.now() - reported > reportEvery) reportProgress();
}
reportProgress();
process.exitCode = totals.violations === 0 ? 0 : 1;

function reportProgress(): void {
  reported = performance.now();
  const seconds = (reported - started) / 1000;
  const { seeds: count, connections, faults, published, confirmed, frames, violations } = totals;
  console.log(
    `${seconds.toFixed(0)} s: ${count} seeds (${Math.round((count / seconds) * 60)}/min), ${connections} connections, ` +
      `${faults} faults, ${published} published, ${confirmed} confirmed, ${frames} frames, ${violations} violations`,
  );
}

function reportViolation(plan: SimulationPlan, error: Error): void {
  console.log(`seed ${plan.seed}: ${error.message}`);
  const smallest = isReplay ? plan : shrink(plan, error);
  console.log(`replay: npm run soak -- ${replayArguments(smallest)}`);
  if (isReplay) console.log(error.stack);
}
