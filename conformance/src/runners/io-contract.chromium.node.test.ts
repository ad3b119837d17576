/** The I/O contract in a headless Chromium, through the relay: in a page, and in a worker. */

import type { IoServices } from "@leveret/core/client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";
import { ioContract } from "../io-contract/index.ts";
import { launchChromium, openProgram, type ProgramPage } from "../testing/chromium.ts";
import { contractOf, registerContractWith } from "../testing/register-contract.ts";
import { RelayPeerHost } from "../testing/relay-peer-host.ts";
import type { Place } from "./chromium/places.ts";

const places: Readonly<Record<string, Place>> = {
  "a page, by WebSocketStream": { inWorker: false, api: "WebSocketStream" },
  "a page, by WebSocket": { inWorker: false, api: "WebSocket" },
  "a worker, by WebSocket": { inWorker: true, api: "WebSocket" },
};

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each(Object.entries(places))("the I/O contract of @leveret/websocket in %s", (_, place) => {
  let peers: RelayPeerHost;
  let program: ProgramPage;
  let io: Pick<IoServices, "runtime" | "capabilities">;
  beforeAll(async () => {
    peers = await RelayPeerHost.start();
    program = await openProgram(browser, new URL("chromium/io-contract-program.ts", import.meta.url), {
      peers: () => peers,
    });
    io = await program.describe(place);
  });
  afterAll(async () => {
    await program.close();
    await peers.close();
  });

  // What a page cannot do is said once.
  registerContractWith(
    place === places["a page, by WebSocketStream"] ? ioContract : contractOf("websocket"),
    () => io,
    ({ name }) => program.run(name, place),
  );
});
