/** A queue that is shared among web workers, in a page of a headless Chromium, with the embedded broker. */

import { Broker } from "../broker/index.ts";
import { listenBroker } from "../broker/node/index.ts";
import { afterAll, expect, it } from "vitest";
import { launchChromium, openProgram } from "../testing/chromium.ts";
import type { ThreadsPage } from "./chromium/threads-program.ts";

const browser = await launchChromium();
afterAll(() => browser.close());

it("web workers handle what a pool gives them, and what a lost one had goes to another", async () => {
  const server = await listenBroker(new Broker(), { port: 0, webSocketPort: 0 });
  const program = await openProgram(browser, new URL("chromium/threads-program.ts", import.meta.url), {});
  try {
    const url = server.webSocketUrl?.replace("://", "://guest:guest@") as string;
    const report = await program.page.evaluate(
      (to) => (globalThis as unknown as { threads: ThreadsPage }).threads.shareAmongWorkers(to),
      url,
    );
    expect(report).toEqual({
      answers: ["FIVE", "FOUR", "ONE", "SIX", "THREE", "TWO"],
      closed: { requeued: 0, unfinished: 0 },
      lost: ["WORKER_LOST"],
    });
  } finally {
    await program.close();
    await server.close();
  }
});
