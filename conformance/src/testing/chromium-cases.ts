/** The conformance cases in a headless Chromium, through a relay. One page runs them all. */

import type { IoServices } from "@leveret/core/client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { type BrokerHost, reasonToSkip } from "../cases/index.ts";
import type { Place } from "../runners/chromium/places.ts";
import { launchChromium, openProgram, type ProgramPage } from "./chromium.ts";
import { registerCasesWith } from "./register-cases.ts";
import { type RelayedHost, relayedHost } from "./relayed-host.ts";

const program = new URL("../runners/chromium/cases-program.ts", import.meta.url);

/** Registers every case, to run at a place in Chromium against the broker that `start` gives. */
export function registerCasesInChromium(place: Place, start: () => BrokerHost | Promise<BrokerHost>): void {
  let browser: Browser;
  let broker: RelayedHost;
  let page: ProgramPage;
  let io: Pick<IoServices, "runtime" | "capabilities">;
  beforeAll(async () => {
    browser = await launchChromium();
    broker = await relayedHost(await start());
    page = await openProgram(browser, program, { broker: () => broker });
    io = await page.describe(place);
  });
  afterAll(async () => {
    await page.close();
    await browser.close();
    await broker.close();
  });
  registerCasesWith(
    (one) => reasonToSkip(one, broker.facts, io),
    (one) => page.run(`${one.group}: ${one.name}`, place),
  );
}
