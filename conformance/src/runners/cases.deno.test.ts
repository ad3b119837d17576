/** The conformance cases, in Deno: against a real RabbitMQ, and against the embedded broker. */

import { denoIo } from "@leveret/deno";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { profiles, type ProfileName } from "../broker/index.ts";
import { type BrokerHost, canRun, cases, runCase } from "../cases/index.ts";
import { NodeHosts } from "../testing/node-hosts.ts";

/** The case's own limit comes first: it says what did not happen. */
const limit = 90_000;

const coordinates = inject("rabbitmq");
const hosts = new NodeHosts();
afterAll(() => hosts.close());

describe(`RabbitMQ ${coordinates.version}`, () => {
  register(() => hosts.rabbitMQ(coordinates));
});

describe.each(Object.keys(profiles) as ProfileName[])("the embedded broker as RabbitMQ %s", (profile) => {
  register(() => hosts.startEmbedded(profile));
});

function register(start: () => Promise<BrokerHost>): void {
  let host: BrokerHost;
  beforeAll(async () => {
    host = await start();
  });
  for (const one of cases) {
    it(`${one.group}: ${one.name}`, { timeout: limit }, (context) => {
      if (!canRun(one, host)) context.skip(`needs ${one.needs?.join(", ")}`);
      return runCase(one, host, denoIo());
    });
  }
}
