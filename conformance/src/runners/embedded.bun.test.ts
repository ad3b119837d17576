/** The conformance cases, in Bun, against the embedded broker. */

import { bunIo } from "@leveret/bun";
import { afterAll, describe } from "vitest";
import { NodeHosts } from "../testing/node-hosts.ts";
import { registerCases } from "../testing/register-cases.ts";

const hosts = new NodeHosts();
afterAll(() => hosts.close());

describe("the embedded broker as RabbitMQ 4.3", () => {
  registerCases(() => hosts.startEmbedded("4.3"), bunIo);
});
