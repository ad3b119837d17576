/** What the simulation has found, by name: each seed failed before the bug, in the product or in a rule, was fixed. */

import { describe, expect, it } from "vitest";
import { findViolation as findInClients } from "./client-tier/index.ts";

interface Regression {
  readonly name: string;
  readonly tier: "client" | "recovery";
  readonly seed: number;
  readonly steps: number;
}

/** Each seed is one that finds the deliberate bug of `tools/simulation/mutations/` that brings the bug back. */
const regressions: readonly Regression[] = [
  {
    name: "a delivery that is rejected while its channel closes is stale, and not settled without being so",
    tier: "client",
    seed: 25,
    steps: 120,
  },
  {
    name: "an acknowledgement at a handler's end that belongs to a lost transaction is reported, and nothing else",
    tier: "recovery",
    seed: 10,
    steps: 120,
  },
  {
    name: "a commit that had not been sent when its channel was lost does not commit what was lost",
    tier: "recovery",
    seed: 417,
    steps: 120,
  },
  {
    name: "a consumer that waits for its prefetch when the channel is lost gets that prefetch",
    tier: "recovery",
    seed: 119,
    steps: 120,
  },
  {
    name: "the number of a channel that is about to be reopened is in use",
    tier: "recovery",
    seed: 76,
    steps: 120,
  },
  {
    name: "a consumer whose queue was being deleted when the connection was lost hears of it",
    tier: "recovery",
    seed: 155,
    steps: 120,
  },
];

describe("what the simulation has found stays fixed", () => {
  for (const { name, tier, ...plan } of regressions) {
    it(name, async () => {
      expect(await findInClients({ ...plan, without: new Set(), recovery: tier === "recovery" })).toBeUndefined();
    });
  }
});
