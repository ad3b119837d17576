/** The conformance cases, in Bun, against a real RabbitMQ. */

import { bunIo } from "@leveret/bun";
import { afterAll, describe, inject } from "vitest";
import { NodeHosts } from "../testing/node-hosts.ts";
import { registerCases } from "../testing/register-cases.ts";

const coordinates = inject("rabbitmq");
const hosts = new NodeHosts();
afterAll(() => hosts.close());

describe(`RabbitMQ ${coordinates.version}`, () => {
  registerCases(() => hosts.rabbitMQ(coordinates), bunIo);
});
