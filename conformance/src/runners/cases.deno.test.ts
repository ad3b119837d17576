/** The conformance cases, in Deno, against a real RabbitMQ. */

import { denoIo } from "@leveret/deno";
import { afterAll, describe, inject } from "vitest";
import { NodeHosts } from "../testing/node-hosts.ts";
import { registerCases } from "../testing/register-cases.ts";

const coordinates = inject("rabbitmq");
const hosts = new NodeHosts();
afterAll(() => hosts.close());

describe(`RabbitMQ ${coordinates.version}`, () => {
  registerCases(() => hosts.rabbitMQ(coordinates), denoIo);
});
