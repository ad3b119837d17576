/** What the simulation has found, by name: each seed failed before the bug, in the product or in a rule, was fixed. */

import { describe, expect, it } from "vitest";
import { findViolation as findInClients } from "./client-tier/index.ts";

interface Regression {
  readonly name: string;
  readonly tier: "client" | "recovery";
  readonly seed: number;
  readonly steps: number;
}

const regressions: readonly Regression[] = [
  {
    name: "a delivery that is rejected while its channel closes is stale, and not settled without being so",
    tier: "client",
    seed: 1_000_088,
    steps: 120,
  },
  {
    name: "an acknowledgement at a handler's end that belongs to a lost transaction is reported, and nothing else",
    tier: "recovery",
    seed: 380,
    steps: 92,
  },
  {
    name: "a commit that had not been sent when its channel was lost does not commit what was lost",
    tier: "recovery",
    seed: 1743,
    steps: 120,
  },
  {
    name: "a consumer that waits for its prefetch when the channel is lost is started once, and is its caller's",
    tier: "recovery",
    seed: 1864,
    steps: 120,
  },
  {
    name: "a consumer that waits for its prefetch when the channel is lost gets that prefetch",
    tier: "recovery",
    seed: 4164,
    steps: 120,
  },
  {
    name: "the number of a channel that is about to be reopened is in use",
    tier: "recovery",
    seed: 2160,
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
