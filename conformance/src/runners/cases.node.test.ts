/** The conformance cases, in Node, against a real RabbitMQ. */

import { nodeIo } from "@leveret/node";
import { describe, inject } from "vitest";
import { rabbitMQHost } from "../testing/rabbitmq-host.ts";
import { registerCases } from "../testing/register-cases.ts";

const coordinates = inject("rabbitmq");

describe(`RabbitMQ ${coordinates.version}`, () => {
  registerCases(() => rabbitMQHost(coordinates), nodeIo);
});
