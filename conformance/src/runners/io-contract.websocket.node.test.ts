/** The I/O contract over WebSocket, in Node, through the relay. */

import { webSocketIo } from "@leveret/websocket";
import { afterAll, beforeAll, describe, it } from "vitest";
import { WebSocket } from "ws";
import { ioContract } from "../io-contract/index.ts";
import { greetingIo } from "../testing/greeting-io.ts";
import { RelayPeerHost } from "../testing/relay-peer-host.ts";

/** Node's own class, and one that can pause. */
const implementations = {
  "the runtime's WebSocket": () => webSocketIo(),
  "the WebSocket of the package ws": () => webSocketIo({ WebSocket }),
};

describe.each(Object.entries(implementations))("the I/O contract of @leveret/websocket with %s", (_, makeIo) => {
  let peers: RelayPeerHost;
  beforeAll(async () => {
    peers = await RelayPeerHost.start();
  });
  afterAll(() => peers.close());

  for (const { name, needs, run } of ioContract) {
    it.skipIf(!needs.every((need) => need === "websocket"))(name, () => run({ io: greetingIo(makeIo()), peers }));
  }
});
