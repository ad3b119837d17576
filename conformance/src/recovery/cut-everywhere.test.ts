/** A cut at every byte of every scenario, in both directions; and a second one while the connection recovers. */

import { describe, expect, it } from "vitest";
import type { Cut } from "./testing/cutting-io.ts";
import { type Scenario, scenarios } from "./testing/scenarios.ts";

const directions = ["to-server", "to-client"] as const;

/** Runs a scenario with cuts; what does not hold is reported with the cuts that show it. */
async function problemsOf(scenario: Scenario, cuts: readonly Cut[]): Promise<string[]> {
  const at = cuts.map(({ direction, after }) => `${after} ${direction}`).join(", ");
  try {
    const { problems } = await scenario.run(cuts);
    return problems.map((problem) => `cut at ${at}: ${problem}`);
  } catch (error) {
    return [`cut at ${at}: ${String(error)}`];
  }
}

describe.each(scenarios)("$name", (scenario) => {
  it("comes to its end without a cut", async () => {
    expect((await scenario.run([])).problems).toEqual([]);
  });

  it.each(directions)("survives a cut at every byte %s", { timeout: 300_000 }, async (direction) => {
    const { io } = await scenario.run([]);
    const size = io.traffic[0]?.[direction] ?? 0;
    expect(size).toBeGreaterThan(500);
    const problems: string[] = [];
    for (let after = 0; after < size; after += 1)
      problems.push(...(await problemsOf(scenario, [{ direction, after }])));
    expect(problems).toEqual([]);
  });

  it("survives a second cut during recovery", { timeout: 300_000 }, async () => {
    const { io } = await scenario.run([]);
    const problems: string[] = [];
    // Steps without a common divisor: of the pairs, a sample that falls on every part of both.
    for (const first of directions) {
      const size = io.traffic[0]?.[first] ?? 0;
      for (let after = size - 1; after > 300; after -= 97) {
        const cut = { direction: first, after };
        const recovered = await scenario.run([cut]);
        for (const second of directions) {
          const length = recovered.io.traffic[1]?.[second] ?? 0;
          for (let later = 0; later < length; later += 41) {
            problems.push(...(await problemsOf(scenario, [cut, { direction: second, after: later }])));
          }
        }
      }
    }
    expect(problems).toEqual([]);
  });
});
