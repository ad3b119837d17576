import { expect, it } from "vitest";
import { shrink } from "./shrink.ts";
import { InvariantViolation } from "./violation.ts";

const features = ["cut", "stall", "publish"] as const;
type Feature = (typeof features)[number];
const plan = { seed: 1, steps: 120, without: new Set<Feature>() };

it("leaves what the failure needs: its steps and its features", async () => {
  const find = async ({ steps, without }: typeof plan): Promise<Error | undefined> =>
    steps >= 37 && !without.has("stall") ? new InvariantViolation("nothing is lost", `of ${steps}`) : undefined;
  const smallest = await shrink(plan, new InvariantViolation("nothing is lost", "of 120"), features, find);
  expect(smallest).toEqual({ seed: 1, steps: 37, without: new Set(["cut", "publish"]) });
});

it("does not take a violation of another rule for the failure", async () => {
  const find = async ({ steps, without }: typeof plan): Promise<Error | undefined> =>
    steps < 100 || without.size > 0
      ? new InvariantViolation("every request ends", "one did not")
      : new InvariantViolation("nothing is lost", "one was");
  const smallest = await shrink(plan, new InvariantViolation("nothing is lost", "another was"), features, find);
  expect(smallest).toEqual({ seed: 1, steps: 100, without: new Set() });
});
