/** The I/O contract, in Deno. */

import { denoIo } from "@leveret/deno";
import { afterAll, describe } from "vitest";
import { NodeHosts } from "../testing/node-hosts.ts";
import { contractOf, registerContract } from "../testing/register-contract.ts";

describe("the I/O contract of @leveret/deno", () => {
  const hosts = new NodeHosts();
  afterAll(() => hosts.close());
  registerContract(contractOf("tcp", "tls", "unix"), () => hosts.startPeers(), denoIo);
});
