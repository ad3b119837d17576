/** The I/O contract, in Deno. */

import { denoIo } from "@leveret/deno";
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

describe("the I/O contract of @leveret/deno", () => {
  let peers: RemotePeerHost;
  beforeAll(async () => {
    peers = await RemotePeerHost.start();
  });
  afterAll(() => peers.close());

  for (const { name, needs, run } of ioContract) {
    it.skipIf(!needs.every((need) => supports.has(need)))(name, () => run({ io: denoIo(), peers }));
  }
});
