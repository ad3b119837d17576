/** The publisher of a run: numbered messages, at a steady pace, and what became of each. */

import { setTimeout as delay } from "node:timers/promises";
import { AmqpError, type Connection, encodeText } from "@leveret/node";
import type { Tell } from "./process.ts";
import type { PublisherRole, PublishOutcome } from "./protocol.ts";
import { declareQueue, exchange } from "./topology.ts";

const tick = 20;
/** An application that is patient: it does not pile up more than this. */
const mostUnsettled = 500;

/** Publishes until `stop`, and then waits for what is unsettled. */
export async function publish(
  connection: Connection,
  role: PublisherRole,
  stop: Promise<void>,
  tell: Tell,
  isReady: () => void,
): Promise<void> {
  const { queue } = role.to;
  await declareQueue(connection, role.to);
  const publisher = await connection.openPublisher({ exchange, routingKey: queue, mandatory: true });
  const unsettled = new Set<Promise<void>>();
  let outcomes: [number, PublishOutcome, number][] = [];
  let published = 0;
  let finishing = false;
  void stop.then(() => {
    finishing = true;
  });
  const report = (): void => {
    if (outcomes.length > 0) tell({ type: "published", queue, outcomes });
    outcomes = [];
  };
  const publishOne = (sequence: number): void => {
    const settled = publisher
      .publish(encodeText(`${queue}:${sequence}`))
      .then(
        (): PublishOutcome => "confirmed",
        (error: unknown): PublishOutcome => {
          if (error instanceof AmqpError && error.outcome !== undefined) return error.outcome;
          throw error;
        },
      )
      .then((outcome) => {
        outcomes.push([sequence, outcome, Date.now()]);
        unsettled.delete(settled);
      });
    unsettled.add(settled);
  };

  isReady();
  const started = performance.now();
  let missed = 0;
  while (!finishing) {
    const due = Math.floor(((performance.now() - started) * role.rate) / 1000) - missed;
    while (published < due && unsettled.size < mostUnsettled) {
      publishOne(published);
      published += 1;
    }
    // What could not be published in time is not caught up with.
    missed += Math.max(0, due - published);
    report();
    await delay(tick);
  }
  await Promise.all(unsettled);
  report();
  tell({ type: "finished", queue, published });
  await publisher.close();
}
