/** The I/O contract over WebSocket, in Deno, through the relay. */

import { webSocketIo } from "@leveret/websocket";
import { afterAll, beforeAll, describe, it } from "vitest";
import { ioContract, type PeerHost } from "../io-contract/index.ts";
import { greetingIo } from "../testing/greeting-io.ts";
import { NodeHosts } from "../testing/node-hosts.ts";

describe("the I/O contract of @leveret/websocket", () => {
  const hosts = new NodeHosts();
  let peers: PeerHost;
  beforeAll(async () => {
    peers = await hosts.startPeers();
  });
  afterAll(() => hosts.close());

  for (const { name, needs, run } of ioContract) {
    it.skipIf(!needs.every((need) => need === "websocket"))(name, () => run({ io: greetingIo(webSocketIo()), peers }));
  }
});
