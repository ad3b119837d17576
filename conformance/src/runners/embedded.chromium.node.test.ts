/** The conformance cases in a worker of a headless Chromium, through the relay, against the embedded broker. */

import { afterAll, describe } from "vitest";
import { registerCasesInChromium } from "../testing/chromium-cases.ts";
import { type EmbeddedHost, startEmbedded } from "../testing/embedded-host.ts";

let host: EmbeddedHost;
afterAll(() => host.close());

describe("the embedded broker as RabbitMQ 4.3, from a worker, by WebSocket", () => {
  registerCasesInChromium({ inWorker: true, api: "WebSocket" }, async () => (host = await startEmbedded("4.3")));
});
