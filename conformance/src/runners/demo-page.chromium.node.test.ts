/** The relay's demo page, in Chromium, with RabbitMQ behind it: it is clicked, and the broker restarts meanwhile. */

import { silentLog, startRelay } from "@leveret/websocket/relay";
import type { Page } from "playwright-core";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { attachRabbitMQ } from "../../../tools/rabbitmq/index.ts";
import { launchChromium } from "../testing/chromium.ts";

const rabbitmq = attachRabbitMQ(inject("rabbitmq"));
const { host, port, username, password } = rabbitmq;

/** A broker takes its time to come back. */
const testTimeout = 120_000;
const restartWithin = 90_000;

async function openDemo(): Promise<{ page: Page; errors: string[] }> {
  const relay = await startRelay({
    listen: "127.0.0.1:0",
    upstream: `amqp://${host}:${port}`,
    demo: true,
    log: silentLog,
  });
  onTestFinished(() => relay.close());
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`http://localhost:${relay.address.port}/`);
  await page.fill('[name="username"]', username);
  await page.fill('[name="password"]', password);
  await page.fill('[name="queue"]', `demo-${relay.address.port}`);
  return { page, errors };
}

const inState = (page: Page, state: string, timeout = 30_000): Promise<unknown> =>
  page.waitForSelector(`#state[data-state="${state}"]`, { timeout });

async function total(page: Page, figure: string): Promise<number> {
  const text = await page.textContent(`#${figure}`);
  return Number((text ?? "").replace(/\D/g, ""));
}

/** Waits until a figure has grown by so much. */
async function grows(page: Page, figure: string, by: number): Promise<void> {
  const before = await total(page, figure);
  await expect.poll(() => total(page, figure), { timeout: 30_000 }).toBeGreaterThanOrEqual(before + by);
}

describe("the demo page", () => {
  it("says that the machine is offline, notices a connection that is lost, and comes back with the network", {
    timeout: testTimeout,
  }, async () => {
    const { page, errors } = await openDemo();
    await page.click("#connect");
    await inState(page, "connected");
    const offline = (isOffline: boolean) => page.context().setOffline(isOffline);
    await offline(true);
    await page.waitForSelector("#state >> text=/^Connected .*this machine is offline/");
    await inState(page, "lost", 60_000);
    expect(await page.textContent("#state")).toContain("offline");
    await offline(false);
    await inState(page, "connected");
    expect(await page.textContent("#state")).not.toContain("offline");
    await page.click("#publish");
    await grows(page, "confirmed", 100);
    expect(errors).toEqual([]);
  });

  it.runIf(rabbitmq.folder !== undefined)(
    "publishes and consumes, and does so again after a restart of the broker",
    { timeout: testTimeout },
    async () => {
      const { page, errors } = await openDemo();
      expect(await page.textContent("#state")).toBe("Not connected");
      await page.click("#connect");
      await inState(page, "connected");
      expect(await page.textContent("#state")).toContain(`Connected to RabbitMQ ${rabbitmq.version}`);

      await page.click("#publish");
      await grows(page, "confirmed", 100);
      expect(await total(page, "consumed")).toBe(0);
      await page.click("#consume");
      await grows(page, "consumed", 200);
      await page.selectOption("#speed", "0");
      await grows(page, "consumed", 5_000);
      expect(Number((await page.textContent("#consumed-rate"))?.replace(/\D/g, ""))).toBeGreaterThan(0);
      expect(await page.getAttribute("#chart path.consumed", "d")).toMatch(/^M/);
      await page.selectOption("#speed", "100");

      const restarted = rabbitmq.restart();
      await inState(page, "lost");
      await restarted;
      await inState(page, "connected", restartWithin);
      await grows(page, "confirmed", 100);
      await grows(page, "consumed", 100);

      await page.click("#publish");
      await page.click("#connect");
      await inState(page, "idle");
      expect(errors).toEqual([]);
    },
  );

  it("says why it cannot connect", async () => {
    const { page } = await openDemo();
    await page.fill('[name="password"]', "wrong");
    await page.click("#connect");
    await inState(page, "failed");
    expect(await page.textContent("#state")).toMatch(/^Not connected: .*refused/i);
    expect(await page.textContent("#connect")).toBe("Connect");
  });
});
