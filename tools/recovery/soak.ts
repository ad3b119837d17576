/**
 * Runs publishers, consumers, and an application that opens and closes everything all the time, against a RabbitMQ of
 * its own, with a fault every few seconds: `npm run soak:recovery -- --minutes 60`.
 *
 *     --minutes N      how long (default 60)
 *     --seed N         what decides over the faults (default: a new one, which is printed)
 *     --release R      of RabbitMQ (default 4)
 *     --rate N         messages in a second of each publisher (default 50)
 *     --rest N         milliseconds between faults, on the average (default 3000)
 *
 * In the end everything that was confirmed must have been consumed, nothing that was not published, in order where that
 * is promised; memory must be flat, and the process must have ended by itself. It exits with 1 where that is not so.
 */

import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { FaultProxy } from "../../conformance/src/testing/fault-proxy.ts";
import { startRabbitMQ } from "../rabbitmq/index.ts";
import { Application } from "./lib/applications.ts";
import type { Notice, Role } from "./lib/protocol.ts";
import { randomFrom } from "./lib/random.ts";
import { RunRecord, say } from "./lib/run-record.ts";
import { spreadOf } from "./lib/timeline.ts";
import type { QueuePlan } from "./lib/topology.ts";
import { trendOf, type Weight } from "./lib/weights.ts";
import { chooseFault, inflict } from "./soak-faults.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
    release: { type: "string", default: "4" },
    rate: { type: "string", default: "50" },
    rest: { type: "string", default: "3000" },
  },
});

const endsWithin = 40_000;
const progressEvery = 60_000;
const weighings = 200;
const shortestWeighing = 2_000;
/** After this the first round of everything must be over. */
const stallsAfter = 60_000;

const rate = Number(values.rate);
const duration = Number(values.minutes) * 60_000;
const republished: QueuePlan = { queue: "republished", quorum: false, inOrder: true };
const plain: QueuePlan = { queue: "plain", quorum: false, inOrder: true };
const queues = [republished, plain];
const roles: readonly Role[] = [
  { type: "publisher", name: "publisher that republishes", to: republished, republish: true, rate },
  { type: "publisher", name: "publisher that does not", to: plain, republish: false, rate },
  { type: "consumer", name: "consumer", from: queues },
  { type: "churn", name: "churn" },
];

const record = new RunRecord(queues);
const faultCounts = new Map<string, number>();
const weights: Weight[] = [];
const began = performance.now();
let churned = { rounds: 0, lost: 0, at: began };

process.exitCode = await main();

async function main(): Promise<number> {
  console.log(`seed ${values.seed}: a soak of ${values.minutes} minutes, RabbitMQ ${values.release} ...`);
  const node = await startRabbitMQ({ release: values.release });
  const proxy = await FaultProxy.start({ host: node.host, port: node.port });
  const url = `amqp://${node.username}:${node.password}@${proxy.host}:${proxy.port}`;
  const weighEvery = Math.max(shortestWeighing, duration / weighings);
  const application = new Application({ roles, urls: [url], heartbeat: 2, weighEvery }, hear);
  const stopAll = async (): Promise<void> => {
    application.kill();
    await proxy.close();
    await node.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stopAll().then(() => process.exit(1)));
  }
  try {
    await application.told("ready");
    const random = randomFrom(Number(values.seed));
    let toldAt = performance.now();
    while (performance.now() - began < duration) {
      await delay(random() * 2 * Number(values.rest));
      const fault = chooseFault(random);
      faultCounts.set(fault, (faultCounts.get(fault) ?? 0) + 1);
      await inflict(fault, { proxy, node, random });
      if (performance.now() - churned.at > stallsAfter) throw new Error(`nothing goes on since ${fault}`);
      if (performance.now() - toldAt < progressEvery) continue;
      toldAt = performance.now();
      say(`${sum(faultCounts)} faults; ${JSON.stringify(record.totals)}; heap ${mebibytes(weights.at(-1)?.heap)} MiB`);
    }
    application.stopPublishing();
    await record.everythingArrived();
    application.finish();
    record.close([await application.ended(endsWithin)]);
  } catch (error) {
    record.problems.push(String(error));
  } finally {
    await stopAll();
  }
  report();
  return record.conclude("nothing lost, nothing invented, everything in order, memory flat");
}

function hear(notice: Notice): void {
  const at = performance.now();
  record.hear(notice);
  if (notice.type === "churned") {
    churned = { rounds: churned.rounds + notice.rounds, lost: churned.lost + notice.lost, at };
  } else if (notice.type === "weight") {
    weights.push({ at: at - began, rss: notice.rss, heap: notice.heap, records: notice.records });
  }
}

function report(): void {
  const { published, confirmed, unknown, notSent, refused, consumed, duplicates } = record.totals;
  const outages = spreadOf(record.timeline.outages);
  const kinds = [...faultCounts].map(([name, count]) => `${count} ${name}`).join(", ");
  console.log(`
seed ${values.seed}, RabbitMQ ${values.release}, ${Math.round((performance.now() - began) / 1000)} s
faults         ${sum(faultCounts)}: ${kinds}
messages       ${published} published: ${confirmed} confirmed, ${unknown} unknown, ${notSent} not sent, ${refused} refused
               ${consumed} consumed, ${duplicates} duplicates
churn          ${churned.rounds} rounds, ${churned.lost} of them lost with their connection
clients        ${record.countOf("lost")} connections lost, ${outages.count} recovered; outage ${outages.median} ms (median), ${outages.longest} ms (longest)
               ${record.countOf("failures")} items not recovered, ${record.countOf("replaced")} consumers opened anew by the application`);
  for (const measure of ["heap", "rss"] as const) {
    const trend = trendOf(weights, measure);
    if (trend === undefined) {
      console.log(`${measure.padEnd(15)}${weights.length} samples, too few to tell`);
      continue;
    }
    const { first, last, slope, isFlat } = trend;
    console.log(
      `${measure.padEnd(15)}${mebibytes(first)} MiB in the first third, ${mebibytes(last)} MiB in the last; ` +
        `${Math.round(slope / 1024)} KiB a minute, of ${weights.length} samples`,
    );
    if (!isFlat) record.problems.push(`${measure} grows`);
  }
  console.log(
    `records        ${weights.at(-1)?.records ?? 0} in the end, ${Math.max(0, ...weights.map((w) => w.records))} at most\n`,
  );
}

function sum(of: ReadonlyMap<string, number>): number {
  return [...of.values()].reduce((total, count) => total + count, 0);
}

function mebibytes(bytes: number | undefined): string {
  return ((bytes ?? 0) / (1024 * 1024)).toFixed(1);
}
