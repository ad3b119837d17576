/** The I/O contract over WebSocket, in Bun, through the relay. */

import { webSocketIo } from "@leveret/websocket";
import { afterAll, describe } from "vitest";
import { greetingIo } from "../testing/greeting-io.ts";
import { NodeHosts } from "../testing/node-hosts.ts";
import { contractOf, registerContract } from "../testing/register-contract.ts";

describe("the I/O contract of @leveret/websocket", () => {
  const hosts = new NodeHosts();
  afterAll(() => hosts.close());
  registerContract(
    contractOf("websocket"),
    () => hosts.startPeers(),
    () => greetingIo(webSocketIo()),
  );
});
