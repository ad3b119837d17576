/** The I/O contract, in Node. */

import { nodeIo } from "@leveret/node";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type IoNeed, ioContract } from "../io-contract/index.ts";
import { NodePeerHost } from "../testing/peer-host.ts";

const supports: ReadonlySet<IoNeed> = new Set([
  "tcp",
  "tls",
  "unix",
  "client-certificate",
  "passphrase",
  "pfx",
  "min-version",
]);

describe("the I/O contract of @leveret/node", () => {
  let peers: NodePeerHost;
  beforeAll(async () => {
    peers = await NodePeerHost.start();
  });
  afterAll(() => peers.close());

  for (const { name, needs, run } of ioContract) {
    it.skipIf(!needs.every((need) => supports.has(need)))(name, () => run({ io: nodeIo(), peers }));
  }
});
