import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ClientPlan, defaultSteps, findViolation, replayArguments, simulateClients } from "./index.ts";

const seeds = 120;
const firstSeed = 1_000_000;

describe.each([
  { what: "the client", recovery: false },
  { what: "the client, which recovers", recovery: true },
])("$what, against the embedded broker, with everything that can go wrong between them", ({ recovery }) => {
  const plan = (seed: number): ClientPlan => ({ seed, steps: defaultSteps, without: new Set(), recovery });

  let unhandled: unknown[] = [];
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  const breathe = async (): Promise<void> => {
    await turnOfTheLoop();
    if (unhandled.length > 0) throw new Error("A rejection went unhandled", { cause: unhandled.splice(0)[0] });
  };

  beforeEach(() => {
    unhandled = [];
    process.on("unhandledRejection", note);
  });

  afterEach(() => {
    process.off("unhandledRejection", note);
  });

  it(`holds every rule in ${seeds} seeds`, { timeout: 120_000 }, async () => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
      const violation = await findViolation(plan(seed), breathe);
      expect(violation, `replay: npm run soak -- ${replayArguments(plan(seed))}\n${violation?.stack}`).toBeUndefined();
    }
  });

  it("is not idle: it publishes, confirms and breaks connections", async () => {
    const totals = { connections: 0, faults: 0, confirmed: 0, promises: 0 };
    for (let seed = firstSeed; seed < firstSeed + 30; seed += 1) {
      const report = await simulateClients(plan(seed));
      totals.connections += report.connections;
      totals.faults += report.faults;
      totals.confirmed += report.confirmed;
      totals.promises += report.promises;
    }
    // Those that recover are one connection to their application.
    expect(totals.connections).toBeGreaterThan(recovery ? 50 : 60);
    expect(totals.faults).toBeGreaterThan(80);
    expect(totals.confirmed).toBeGreaterThan(300);
    expect(totals.promises).toBeGreaterThan(1500);
  });

  it("repeats itself exactly for the same seed, with turns of the loop in between and without", async () => {
    for (let seed = firstSeed; seed < firstSeed + 20; seed += 1) {
      expect(await simulateClients(plan(seed))).toEqual(await simulateClients(plan(seed), breathe));
    }
  });
});
