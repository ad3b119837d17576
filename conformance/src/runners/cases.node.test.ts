/** The conformance cases, in Node: against a real RabbitMQ, and against the embedded broker. */

import { nodeIo } from "@leveret/node";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { profiles, type ProfileName } from "../broker/index.ts";
import { type BrokerHost, canRun, cases, runCase } from "../cases/index.ts";
import { type EmbeddedHost, startEmbedded } from "../testing/embedded-host.ts";
import { rabbitMQHost } from "../testing/rabbitmq-host.ts";

/** The case's own limit comes first: it says what did not happen. */
const limit = 90_000;

const coordinates = inject("rabbitmq");

describe(`RabbitMQ ${coordinates.version}`, () => {
  register(() => rabbitMQHost(coordinates));
});

describe.each(Object.keys(profiles) as ProfileName[])("the embedded broker as RabbitMQ %s", (profile) => {
  let host: EmbeddedHost;
  beforeAll(async () => {
    host = await startEmbedded(profile);
  });
  afterAll(() => host.close());
  register(() => host);
});

function register(host: () => BrokerHost): void {
  for (const one of cases) {
    it(`${one.group}: ${one.name}`, { timeout: limit }, (context) => {
      if (!canRun(one, host())) context.skip(`needs ${one.needs?.join(", ")}`);
      return runCase(one, host(), nodeIo());
    });
  }
}
