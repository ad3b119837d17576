/** The conformance cases in a page of a headless Chromium, through the relay, against a real RabbitMQ. */

import { describe, inject } from "vitest";
import { registerCasesInChromium } from "../testing/chromium-cases.ts";
import { rabbitMQHost } from "../testing/rabbitmq-host.ts";

const coordinates = inject("rabbitmq");

describe(`RabbitMQ ${coordinates.version}, from a page, by WebSocketStream`, () => {
  registerCasesInChromium({ inWorker: false, api: "WebSocketStream" }, () => rabbitMQHost(coordinates));
});
