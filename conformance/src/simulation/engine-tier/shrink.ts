/** Makes a failing run small: fewer steps, and nothing in it that the failure does not need. */

import { actionWeights, type Feature, faultWeights, type SimulationPlan } from "./plan.ts";
import { findViolation } from "./run.ts";

/** A smaller plan that fails by the same rule. */
export function shrink(plan: SimulationPlan, failure: Error): SimulationPlan {
  const fails = (smaller: SimulationPlan): boolean => findViolation(smaller)?.name === failure.name;
  let smallest = plan;
  for (const feature of [...Object.keys(faultWeights), ...Object.keys(actionWeights)] as Feature[]) {
    const smaller = { ...smallest, without: new Set([...smallest.without, feature]) };
    if (fails(smaller)) smallest = smaller;
  }
  for (let cut = smallest.steps >> 1; cut > 0; cut >>= 1) {
    while (smallest.steps > cut && fails({ ...smallest, steps: smallest.steps - cut })) {
      smallest = { ...smallest, steps: smallest.steps - cut };
    }
  }
  return smallest;
}
