/** The conformance cases as tests of vitest. */

import type { IoServices } from "@leveret/core/client";
import { beforeAll, it } from "vitest";
import { type BrokerHost, cases, type GroupedCase, reasonToSkip, runCase } from "../cases/index.ts";
import { skip } from "./skip.ts";

/** The case's own limit comes first: it says what did not happen. */
const limit = 90_000;

/** Registers every case, to run in this runtime against the broker that `start` gives. */
export function registerCases(start: () => BrokerHost | Promise<BrokerHost>, makeIo: () => IoServices): void {
  let host: BrokerHost;
  beforeAll(async () => {
    host = await start();
  });
  registerCasesWith(
    (one) => reasonToSkip(one, host.facts, makeIo()),
    (one) => runCase(one, host, makeIo()),
  );
}

/** Registers every case, to run somewhere else. */
export function registerCasesWith(
  reason: (one: GroupedCase) => string | undefined,
  run: (one: GroupedCase) => Promise<void>,
): void {
  for (const one of cases) {
    it(`${one.group}: ${one.name}`, { timeout: limit }, async (context) => {
      skip(context, reason(one));
      await run(one);
    });
  }
}
