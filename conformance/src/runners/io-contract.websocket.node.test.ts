/** The I/O contract over WebSocket, in Node, through the relay. */

import { webSocketIo } from "@leveret/websocket";
import { afterAll, describe } from "vitest";
import { WebSocket } from "ws";
import { greetingIo } from "../testing/greeting-io.ts";
import { contractOf, registerContract } from "../testing/register-contract.ts";
import { RelayPeerHost } from "../testing/relay-peer-host.ts";

/** Node's own class, and one that can pause. */
const implementations = {
  "the runtime's WebSocket": () => webSocketIo(),
  "the WebSocket of the package ws": () => webSocketIo({ WebSocket }),
};

describe.each(Object.entries(implementations))("the I/O contract of @leveret/websocket with %s", (_, makeIo) => {
  let peers: RelayPeerHost;
  afterAll(() => peers.close());
  registerContract(
    contractOf("websocket"),
    async () => (peers = await RelayPeerHost.start()),
    () => greetingIo(makeIo()),
  );
});
