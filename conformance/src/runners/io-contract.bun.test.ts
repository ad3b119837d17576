/** The I/O contract, in Bun. */

import { bunIo } from "@leveret/bun";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type IoNeed, ioContract, type PeerHost } from "../io-contract/index.ts";
import { NodeHosts } from "../testing/node-hosts.ts";

const supports: ReadonlySet<IoNeed> = new Set([
  "tcp",
  "tls",
  "unix",
  "client-certificate",
  "passphrase",
  "pfx",
  "min-version",
]);

describe("the I/O contract of @leveret/bun", () => {
  const hosts = new NodeHosts();
  let peers: PeerHost;
  beforeAll(async () => {
    peers = await hosts.startPeers();
  });
  afterAll(() => hosts.close());

  for (const { name, needs, run } of ioContract) {
    it.skipIf(!needs.every((need) => supports.has(need)))(name, () => run({ io: bunIo(), peers }));
  }
});
