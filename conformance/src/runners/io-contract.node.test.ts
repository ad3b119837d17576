/** The I/O contract, in Node. */

import { nodeIo } from "@leveret/node";
import { afterAll, describe } from "vitest";
import { NodePeerHost } from "../testing/peer-host.ts";
import { registerContract } from "../testing/register-contract.ts";

describe("the I/O contract of @leveret/node", () => {
  let peers: NodePeerHost;
  afterAll(() => peers.close());
  registerContract(async () => (peers = await NodePeerHost.start()), nodeIo);
});
