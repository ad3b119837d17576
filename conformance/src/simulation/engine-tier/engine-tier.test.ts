import { describe, expect, it } from "vitest";
import { defaultSteps, replayArguments, type SimulationPlan } from "./plan.ts";
import { findViolation, simulateEngines } from "./run.ts";

const seeds = 300;
const firstSeed = 1_000_000;

const plan = (seed: number): SimulationPlan => ({ seed, steps: defaultSteps, without: new Set() });

describe("the engine against the embedded broker, with everything that can go wrong between them", () => {
  it(`holds every rule in ${seeds} seeds`, { timeout: 120_000 }, () => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
      const violation = findViolation(plan(seed));
      expect(violation, `replay: npm run soak -- ${replayArguments(plan(seed))}\n${violation?.stack}`).toBeUndefined();
    }
  });

  it("is not idle: it publishes, confirms, buries dead letters and breaks connections", () => {
    const totals = { connections: 0, faults: 0, confirmed: 0, buried: 0 };
    for (let seed = firstSeed; seed < firstSeed + 50; seed += 1) {
      const report = simulateEngines(plan(seed));
      totals.connections += report.connections;
      totals.faults += report.faults;
      totals.confirmed += report.confirmed;
      totals.buried += report.buried;
    }
    expect(totals.connections).toBeGreaterThan(100);
    expect(totals.faults).toBeGreaterThan(200);
    expect(totals.confirmed).toBeGreaterThan(50);
    expect(totals.buried).toBeGreaterThan(10);
  });

  it("repeats itself exactly for the same seed", () => {
    expect(simulateEngines(plan(firstSeed))).toEqual(simulateEngines(plan(firstSeed)));
  });
});
