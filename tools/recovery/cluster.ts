/**
 * Runs a cluster of three RabbitMQ nodes with quorum queues, publishers and consumers in processes of their own, and a
 * schedule of faults: `npm run test:cluster -- --minutes 5`.
 *
 *     --minutes N      how long faults go on (default 5), or
 *     --kills N        until so many nodes were killed
 *     --seed N         what decides over the faults (default: a new one, which is printed)
 *     --release R      of RabbitMQ (default 4)
 *     --rate N         messages in a second of each publisher (default 100)
 *     --rest N         milliseconds between faults, on the average (default 3000)
 *
 * A kill is SIGKILL and a new start on the old data, a pause SIGSTOP and SIGCONT, a restart an orderly one. In a
 * partition the Erlang nodes of both sides drop their connections and let one another in no more, while clients reach
 * all of them. One node, two, or all three are killed or paused at a time.
 *
 * In the end everything that was confirmed must have been consumed, nothing that was not published, in order where that
 * is promised, and every process must have ended by itself. It exits with 1 where that is not so.
 */

import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type RabbitMQCluster, startCluster } from "../rabbitmq/index.ts";
import { Application } from "./lib/applications.ts";
import { chooseFault, type Fault, type FaultName, healthy, inflict } from "./cluster-faults.ts";
import type { ConsumerRole, PublisherRole, Role } from "./lib/protocol.ts";
import { randomFrom } from "./lib/random.ts";
import { RunRecord, say } from "./lib/run-record.ts";
import { spreadOf } from "./lib/timeline.ts";
import type { QueuePlan } from "./lib/topology.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    kills: { type: "string", default: "Infinity" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
    release: { type: "string", default: "4" },
    rate: { type: "string", default: "100" },
    rest: { type: "string", default: "3000" },
  },
});

/** How long the cluster may take to be one again after a fault. */
const healsWithin = 120_000;
/** How long it may take in the end until a process has ended. */
const endsWithin = 40_000;

const rate = Number(values.rate);
/** Two queues whose order is looked at, and one that two consumers share. */
const republished: QueuePlan = { queue: "republished", quorum: true, inOrder: true };
const plain: QueuePlan = { queue: "plain", quorum: true, inOrder: true };
const shared: QueuePlan = { queue: "shared", quorum: true, inOrder: false };
const queues = [republished, plain, shared];

const names = queues.map(({ queue }) => queue);

const publishers: readonly PublisherRole[] = [
  { type: "publisher", name: "publisher that republishes", to: republished, republish: true, rate },
  { type: "publisher", name: "publisher that does not", to: plain, republish: false, rate },
  { type: "publisher", name: "publisher for many", to: shared, republish: true, rate },
];
const consumers: readonly ConsumerRole[] = [
  { type: "consumer", name: "first consumer", from: queues },
  { type: "consumer", name: "second consumer", from: [shared] },
];

const record = new RunRecord(queues);
/** Nodes that were hit, by what hit them; and how often the cluster had to be helped. */
const hits = new Map<FaultName | "repair", number>();

process.exitCode = await main();

async function main(): Promise<number> {
  const began = performance.now();
  console.log(`seed ${values.seed}: a cluster of three nodes, RabbitMQ ${values.release} ...`);
  const cluster = await startCluster({ release: values.release });
  const applications: Application[] = [];
  const stopAll = async (): Promise<void> => {
    for (const application of applications) application.kill();
    await cluster.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void stopAll().then(() => process.exit(1)));
  try {
    const urls = cluster.nodes.map(({ url }) => url);
    const start = async (role: Role): Promise<void> => {
      const application = new Application({ roles: [role], urls, heartbeat: 4, weighEvery: 0 }, (notice) =>
        record.hear(notice),
      );
      applications.push(application);
      await application.told("ready");
    };
    for (const role of [...publishers, ...consumers]) await start(role);
    say(`${applications.length} processes at work`);
    await faults(cluster);
    await finish(applications);
  } catch (error) {
    record.problems.push(String(error));
  } finally {
    await stopAll();
  }
  report((performance.now() - began) / 1000);
  return record.conclude("nothing lost, nothing invented, everything in order");
}

async function faults(cluster: RabbitMQCluster): Promise<void> {
  const random = randomFrom(Number(values.seed));
  const until = performance.now() + (values.kills === "Infinity" ? Number(values.minutes) * 60_000 : Infinity);
  while (performance.now() < until && hitsOf("kill") < Number(values.kills)) {
    await delay(random() * 2 * Number(values.rest));
    const fault = chooseFault(random, cluster.nodes.length);
    await suffer(cluster, fault);
  }
}

async function suffer(cluster: RabbitMQCluster, fault: Fault): Promise<void> {
  const where = fault.nodes.map((index) => index + 1).join(" and ");
  say(`${fault.name} of node ${where}, for ${fault.lasts} ms; ${JSON.stringify(record.totals)}`);
  hit(fault.name, fault.nodes.length);
  const takesMajority = fault.nodes.length * 2 > cluster.nodes.length;
  const inflicting = inflict(cluster, fault);
  const watching = takesMajority ? delay(200).then(() => record.timeline.watchReturn(cluster.nodes, names)) : undefined;
  await inflicting;
  await watching;
  await healthy(cluster, names, healsWithin).catch(async (error: unknown) => {
    // The cluster's own trouble: it is told, and the nodes that the fault was for are started anew.
    say(String(error));
    hit("repair", 1);
    for (const index of fault.nodes) {
      // One that waits for others to agree does not end otherwise.
      await cluster.nodes[index]?.kill();
      await cluster.nodes[index]?.restart();
    }
    await healthy(cluster, names, healsWithin);
  });
}

/** Publishers first; consumers when everything that was confirmed is there. */
async function finish(applications: readonly Application[]): Promise<void> {
  const of = (type: Role["type"]): Application[] => applications.filter(({ plan }) => plan.roles[0]?.type === type);
  const publishing = of("publisher");
  for (const application of publishing) application.stopPublishing();
  await Promise.all(publishing.map((application) => application.told("finished")));
  await record.everythingArrived();
  for (const application of applications) application.finish();
  record.close(await Promise.all(applications.map((application) => application.ended(endsWithin))));
}

function report(seconds: number): void {
  const { published, confirmed, unknown, notSent, refused, consumed, duplicates } = record.totals;
  const outages = spreadOf(record.timeline.outages);
  const returns = spreadOf(record.timeline.returns);
  console.log(`
seed ${values.seed}, RabbitMQ ${values.release}, ${Math.round(seconds)} s
faults         ${hitsOf("kill")} kills, ${hitsOf("pause")} pauses, ${hitsOf("partition")} partitions, ${hitsOf("restart")} restarts; ${hitsOf("repair")} times the cluster needed help
messages       ${published} published: ${confirmed} confirmed, ${unknown} unknown, ${notSent} not sent, ${refused} refused
               ${consumed} consumed, ${duplicates} duplicates (${record.countOf("redelivered")} deliveries were marked as redelivered)
clients        ${record.countOf("lost")} connections lost, ${outages.count} recovered; outage ${outages.median} ms (median), ${outages.longest} ms (longest)
               ${record.countOf("failures")} items not recovered, ${record.countOf("replaced")} consumers opened anew by the application
confirms       longest time without one: ${Math.round(record.timeline.longestGap)} ms
               after the majority's return, the first one of a publisher: ${returns.median} ms (median), ${returns.longest} ms (longest), ${returns.count} times
`);
}

function hit(by: FaultName | "repair", nodes: number): void {
  hits.set(by, hitsOf(by) + nodes);
}

function hitsOf(by: FaultName | "repair"): number {
  return hits.get(by) ?? 0;
}
