/** Makes a failing run small: fewer steps, and nothing in it that the failure does not need. */

import { InvariantViolation } from "../violation.ts";
import { actionWeights, type ClientPlan, type Feature, faultWeights } from "./plan.ts";
import { findViolation } from "./run.ts";
import type { Breathe } from "./settle.ts";

/** A smaller plan that fails by the same rule. */
export async function shrink(plan: ClientPlan, failure: Error, breathe?: Breathe): Promise<ClientPlan> {
  const fails = async (smaller: ClientPlan): Promise<boolean> => {
    const found = await findViolation(smaller, breathe);
    return found !== undefined && ruleOf(found) === ruleOf(failure);
  };
  let smallest = plan;
  for (const feature of [...Object.keys(faultWeights), ...Object.keys(actionWeights)] as Feature[]) {
    const smaller = { ...smallest, without: new Set([...smallest.without, feature]) };
    if (await fails(smaller)) smallest = smaller;
  }
  for (let cut = smallest.steps >> 1; cut > 0; cut >>= 1) {
    while (smallest.steps > cut && (await fails({ ...smallest, steps: smallest.steps - cut }))) {
      smallest = { ...smallest, steps: smallest.steps - cut };
    }
  }
  return smallest;
}

function ruleOf(failure: Error): string {
  return failure instanceof InvariantViolation ? failure.rule : `${failure.name}`;
}
