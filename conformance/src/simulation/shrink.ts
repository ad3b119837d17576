/** Makes a failing run small: fewer steps, and nothing in it that the failure does not need. */

import { InvariantViolation } from "./violation.ts";

/** What a run is made of that it may have less of. */
export interface Shrinkable<Feature> {
  readonly steps: number;
  readonly without: ReadonlySet<Feature>;
}

/**
 * A smaller plan that fails by the same rule.
 *
 * @param features What a run may leave out.
 * @param find Runs a plan, and resolves with what it found, if anything.
 */
export async function shrink<Feature, Plan extends Shrinkable<Feature>>(
  plan: Plan,
  failure: Error,
  features: readonly Feature[],
  find: (plan: Plan) => Promise<Error | undefined>,
): Promise<Plan> {
  const fails = async (smaller: Plan): Promise<boolean> => {
    const found = await find(smaller);
    return found !== undefined && ruleOf(found) === ruleOf(failure);
  };
  let smallest = plan;
  for (const feature of features) {
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
  return failure instanceof InvariantViolation ? failure.rule : failure.name;
}
