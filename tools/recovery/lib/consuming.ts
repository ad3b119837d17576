/** The consumer of a run: hands on what it gets, and acknowledges it. */

import { type Connection, type Consumer, decodeText } from "@leveret/node";
import type { Tell } from "./process.ts";
import type { ConsumerRole } from "./protocol.ts";
import { declareQueue } from "./topology.ts";

const reportEvery = 50;
const prefetch = 100;

/** Consumes until `finish`. */
export async function consume(
  connection: Connection,
  role: ConsumerRole,
  finish: Promise<void>,
  tell: Tell,
  isReady: () => void,
): Promise<void> {
  const consumers = new Map<string, Consumer>();
  const reports: (() => void)[] = [];
  let finishing = false;
  for (const plan of role.from) {
    const { queue } = plan;
    const concurrency = plan.inOrder ? 1 : 10;
    let bodies: string[] = [];
    let redelivered = 0;
    reports.push(() => {
      if (bodies.length > 0) tell({ type: "consumed", queue, bodies, redelivered });
      bodies = [];
      redelivered = 0;
    });
    await declareQueue(connection, plan);
    const open = async (): Promise<void> => {
      const consumer = await connection.openConsumer({ queue, prefetch, concurrency }, (delivery) => {
        bodies.push(decodeText(delivery.body, 0, delivery.body.length));
        if (delivery.redelivered) redelivered += 1;
      });
      consumers.set(queue, consumer);
      void consumer.ended.then((end) => {
        if (finishing) return undefined;
        tell({ type: "replaced", role: role.name, why: "error" in end ? String(end.error) : end.type });
        return open();
      });
    };
    await open();
  }
  const timer = setInterval(() => {
    for (const report of reports) report();
  }, reportEvery);
  isReady();
  await finish;
  finishing = true;
  await Promise.all([...consumers.values()].map((consumer) => consumer.close()));
  clearInterval(timer);
  for (const report of reports) report();
}
