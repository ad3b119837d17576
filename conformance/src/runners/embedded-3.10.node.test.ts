/** The conformance cases, in Node, against the embedded broker as RabbitMQ 3.10. */

import { nodeIo } from "@leveret/node";
import { afterAll, describe } from "vitest";
import { type EmbeddedHost, startEmbedded } from "../testing/embedded-host.ts";
import { registerCases } from "../testing/register-cases.ts";

let host: EmbeddedHost;
afterAll(() => host.close());

describe("the embedded broker as RabbitMQ 3.10", () => {
  registerCases(async () => (host = await startEmbedded("3.10")), nodeIo);
});
