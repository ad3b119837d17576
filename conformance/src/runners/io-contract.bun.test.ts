/** The I/O contract, in Bun. */

import { bunIo } from "@leveret/bun";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type IoNeed, ioContract } from "../io-contract/index.ts";
import { RemotePeerHost } from "../testing/remote-peer-host.ts";

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
  let peers: RemotePeerHost;
  beforeAll(async () => {
    peers = await RemotePeerHost.start();
  });
  afterAll(() => peers.close());

  for (const { name, needs, run } of ioContract) {
    it.skipIf(!needs.every((need) => supports.has(need)))(name, () => run({ io: bunIo(), peers }));
  }
});
