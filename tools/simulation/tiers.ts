/** The tiers of the simulation, as the soak sees them. */

import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import * as client from "../../conformance/src/simulation/client-tier/index.ts";
import * as enginePlan from "../../conformance/src/simulation/engine-tier/plan.ts";
import { findViolation, simulateEngines } from "../../conformance/src/simulation/engine-tier/run.ts";
import { shrink } from "../../conformance/src/simulation/shrink.ts";

/** A run that repeats itself exactly. */
export interface TierPlan {
  readonly seed: number;
  readonly steps: number;
  /** What does not happen. */
  readonly without: ReadonlySet<string>;
}

export interface Tier {
  readonly name: string;
  readonly defaultSteps: number;
  /** Runs a plan; resolves with counts to be summed up. */
  run(plan: TierPlan): Promise<object>;
  shrink(plan: TierPlan, failure: Error): Promise<TierPlan>;
  replayArguments(plan: TierPlan): string;
}

export const engineTier: Tier = {
  name: "engine",
  defaultSteps: enginePlan.defaultSteps,
  run: async (plan) => simulateEngines(enginePlanOf(plan)),
  shrink: (plan, failure) =>
    shrink(enginePlanOf(plan), failure, enginePlan.features, async (smaller) => findViolation(smaller)),
  replayArguments: (plan) => enginePlan.replayArguments(enginePlanOf(plan)),
};

let unhandled: unknown[] = [];

/** The promise client; with recovery, which makes losses no ends. */
function tierOfClients(name: string, recovery: boolean): Tier {
  const planOf = (plan: TierPlan): client.ClientPlan => ({
    ...plan,
    without: plan.without as ReadonlySet<client.Feature>,
    recovery,
  });
  return {
    name,
    defaultSteps: client.defaultSteps,
    run: async (plan) => {
      const stop = watchRejections();
      try {
        return await client.simulateClients(planOf(plan), breathe);
      } catch (error) {
        await breathe().catch(() => {});
        throw error;
      } finally {
        stop();
      }
    },
    shrink: async (plan, failure) => {
      const stop = watchRejections();
      try {
        return await shrink(planOf(plan), failure, client.features, (smaller) =>
          client.findViolation(smaller, breathe),
        );
      } finally {
        stop();
      }
    },
    replayArguments: (plan) => client.replayArguments(planOf(plan)),
  };
}

export const clientTier: Tier = tierOfClients("client", false);
export const recoveryTier: Tier = tierOfClients("recovery", true);

/** What the command line says may name what a tier does not know: that has no effect. */
function enginePlanOf(plan: TierPlan): enginePlan.SimulationPlan {
  return { ...plan, without: plan.without as ReadonlySet<enginePlan.Feature> };
}

/** A turn of the loop: Node tells of rejections that nobody has handled by its end. */
async function breathe(): Promise<void> {
  await turnOfTheLoop();
  const [first] = unhandled;
  unhandled = [];
  if (first === undefined) return;
  const words = first instanceof Error ? (first.stack ?? first.message) : String(first);
  throw new client.InvariantViolation("no rejection goes unhandled", words);
}

function watchRejections(): () => void {
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  process.on("unhandledRejection", note);
  return () => process.off("unhandledRejection", note);
}
