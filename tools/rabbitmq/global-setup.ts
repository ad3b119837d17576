/**
 * Vitest's global setup of the projects that talk to a real RabbitMQ: one broker for all test files, which get it by
 * `attachRabbitMQ(inject("rabbitmq"))`.
 *
 * Which one: the broker at `AMQP_URL`; else the node in the folder `RABBITMQ_NODE`, which then lives on (see cli.ts);
 * else a new node of the release `RABBITMQ_RELEASE`, default `system`.
 */

import type { TestProject } from "vitest/node";
import type { RabbitMQCoordinates } from "./coordinates.ts";
import { RabbitMQUnavailableError } from "./errors.ts";
import { readDescription } from "./folder.ts";
import { startRabbitMQ } from "./start.ts";

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env.RABBITMQ_NODE;
  if (running !== undefined && running !== "") {
    const description = readDescription(running);
    if (description === undefined) throw new RabbitMQUnavailableError(`RABBITMQ_NODE: there is no node in ${running}`);
    project.provide("rabbitmq", description.coordinates);
    return undefined;
  }
  const node = await startRabbitMQ({ release: process.env.RABBITMQ_RELEASE || "system" });
  // Functions do not travel to the workers that run the tests.
  project.provide("rabbitmq", JSON.parse(JSON.stringify(node)) as RabbitMQCoordinates);
  // Somebody else's broker is not ours to stop.
  return node.folder === undefined ? undefined : () => node.stop();
}
