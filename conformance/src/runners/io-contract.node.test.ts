/** The I/O contract, in Node. */

import { nodeIo } from "@leveret/node";
import { afterAll, describe } from "vitest";
import { NodePeerHost } from "../testing/peer-host.ts";
import { contractOf, registerContract } from "../testing/register-contract.ts";

describe("the I/O contract of @leveret/node", () => {
  let peers: NodePeerHost;
  afterAll(() => peers.close());
  registerContract(contractOf("tcp", "tls", "unix"), async () => (peers = await NodePeerHost.start()), nodeIo);
});
