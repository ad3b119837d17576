/** An application of a run, in a process of its own. It ends by itself when everything is closed. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { type Connection, connect } from "@leveret/node";
import { churn } from "./churning.ts";
import { consume } from "./consuming.ts";
import type { Notice, Order, ProcessPlan, Role } from "./protocol.ts";
import { publish } from "./publishing.ts";

/** Tells the run something. */
export type Tell = (notice: Notice) => void;

const tell: Tell = (notice) => process.send?.(notice);

/** Orders that each come once. */
const ordered = {
  "stop-publishing": Promise.withResolvers<void>(),
  finish: Promise.withResolvers<void>(),
};
process.on("message", (order: Order) => {
  if (order.type === "begin") void begin(order.plan);
  else ordered[order.type].resolve();
});
const finish = ordered.finish.promise;
const stopPublishing = Promise.race([finish, ordered["stop-publishing"].promise]);

async function begin(plan: ProcessPlan): Promise<void> {
  const connections: Connection[] = [];
  let ready = 0;
  const isReady = (): void => {
    ready += 1;
    if (ready === plan.roles.length) tell({ type: "ready" });
  };
  const weighing = plan.weighEvery === 0 ? undefined : setInterval(() => void weigh(connections), plan.weighEvery);
  await Promise.all(
    plan.roles.map(async (role) => {
      const connection = await open(role, plan);
      connections.push(connection);
      if (role.type === "publisher") await publish(connection, role, stopPublishing, tell, isReady);
      else if (role.type === "consumer") await consume(connection, role, finish, tell, isReady);
      else await churn(connection, stopPublishing, tell, isReady);
      await connection.close();
    }),
  );
  clearInterval(weighing);
  process.disconnect();
}

async function open(role: Role, { urls, heartbeat }: ProcessPlan): Promise<Connection> {
  const connection = await connect({
    endpoints: urls,
    connectionName: role.name,
    heartbeat,
    openTimeout: 5_000,
    connectionAttempts: 10,
    recovery: {
      backoff: { base: 250, max: 4_000 },
      acquireTimeout: 120_000,
      republish: role.type === "publisher" && role.republish,
      republishLimit: Infinity,
    },
  });
  connection.on("disconnected", ({ cause }) => tell({ type: "lost", role: role.name, code: cause.code }));
  connection.on("recovered", ({ took, failures }) => {
    const words = failures.map(({ item, error }) => `${item.kind}: ${error instanceof Error ? error.message : ""}`);
    tell({ type: "recovered", role: role.name, took, failures: words });
  });
  return connection;
}

async function weigh(connections: readonly Connection[]): Promise<void> {
  // Twice: what the first one finalizes, the second one frees.
  globalThis.gc?.();
  await nextTurn();
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const records = connections.reduce((sum, { recordedCount }) => sum + recordedCount, 0);
  tell({ type: "weight", rss, heap: heapUsed + external, records });
}
