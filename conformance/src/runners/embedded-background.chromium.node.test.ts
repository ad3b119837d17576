/** A connected page in the background: Chromium slows its timers down, and may freeze it. */

import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Broker } from "../broker/index.ts";
import { type ListeningBroker, listenBroker } from "../broker/node/index.ts";
import { bundle, serve } from "../testing/chromium.ts";
import { Devtools, type DevtoolsPage } from "../testing/devtools.ts";

const limit = { timeout: 30_000, interval: 100 };
const program = await bundle(new URL("chromium/background-program.ts", import.meta.url));

let broker: Broker;
let page: DevtoolsPage;
const endings: (() => Promise<unknown>)[] = [];

async function hosted<T extends { close(): unknown }>(started: Promise<T>): Promise<T> {
  const one = await started;
  endings.push(async () => one.close());
  return one;
}

/** A page that is connected with heartbeats of a second, and behind another one. */
beforeEach(async () => {
  broker = new Broker();
  const server: ListeningBroker = await hosted(listenBroker(broker, { port: 0, webSocketPort: 0 }));
  const pages = await hosted(serve(program));
  const chromium = await hosted(Devtools.launch());
  const at = `http://127.0.0.1:${(pages.address() as AddressInfo).port}/`;
  page = await chromium.open(at);
  await expect.poll(() => page.evaluate("typeof background"), limit).toBe("object");
  const url = server.webSocketUrl?.replace("://", "://guest:guest@");
  await page.evaluate(`background.connect(${JSON.stringify(url)})`);
  await chromium.open(at);
  await expect.poll(() => page.evaluate("document.visibilityState"), limit).toBe("hidden");
});

afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

it("a page in the background keeps its connection, though its timers are slow", async () => {
  const began = Number(await page.evaluate("background.startTicking(), performance.now()"));
  // It fires once a second there, while heartbeats are due every half.
  await expect.poll(() => page.evaluate("background.ticks"), limit).toBeGreaterThanOrEqual(8);
  const [ticks, now] = (await page.evaluate("[background.ticks, performance.now()]")) as [number, number];
  expect(ticks).toBeLessThan((now - began) / 200);

  expect(await page.evaluate("background.lost")).toBe(0);
  await page.evaluate("background.publish()");
});

it("a page that was frozen loses its connection, and recovers it when it goes on", async () => {
  await page.setLifecycle("frozen");
  // Nothing of the page runs, so it sends no heartbeat.
  await expect.poll(() => broker.connections.length, limit).toBe(0);
  await page.setLifecycle("active");
  await expect.poll(() => page.evaluate("background.recovered"), limit).toBe(1);
  expect(await page.evaluate("background.lost")).toBe(1);
  await page.evaluate("background.publish()");
});
