/** The I/O contract in a headless Chromium, through the relay: in a page, and in a worker. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ioContract, type Peer, type PeerOptions } from "../io-contract/index.ts";
import { launchChromium, openProgram, type ProgramPage } from "../testing/chromium.ts";
import { RelayPeerHost } from "../testing/relay-peer-host.ts";
import type { Place } from "./chromium/io-contract-program.ts";

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
  beforeAll(async () => {
    peers = await RelayPeerHost.start();
    program = await openProgram(browser, new URL("chromium/io-contract-program.ts", import.meta.url));
    await program.page.exposeFunction("callHost", hostOf(peers));
  });
  afterAll(async () => {
    await program.close();
    await peers.close();
  });

  for (const { name, needs } of ioContract) {
    it.skipIf(!needs.every((need) => need === "websocket"))(name, async () => {
      const ran = program.page.evaluate(
        ([which, where]) =>
          (globalThis as unknown as { runCase(name: string, place: Place): Promise<void> }).runCase(which, where),
        [name, place] as const,
      );
      await expect(ran).resolves.toBeUndefined();
    });
  }
});

/** What the page calls; see `CallHost`. */
function hostOf(host: RelayPeerHost): (method: string, args: string) => Promise<string> {
  const peers: Peer[] = [];
  return async (method, json) => {
    const [argument] = JSON.parse(json) as readonly unknown[];
    switch (method) {
      case "certificates":
        return JSON.stringify(host.certificates);
      case "listen": {
        const peer = await host.listen(argument as PeerOptions);
        return JSON.stringify({ peer: peers.push(peer) - 1, endpoint: peer.endpoint });
      }
      case "vacant":
        return JSON.stringify(await host.vacant(argument as "tcp" | "unix"));
      default: {
        const answer: unknown = await peers[argument as number]?.[method as "go" | "release" | "report"]();
        return JSON.stringify(answer ?? null);
      }
    }
  };
}
