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
import { poll } from "../rabbitmq/poll.ts";
import { Application } from "./lib/applications.ts";
import { chooseFault, type Fault, type FaultName, healthy, inflict } from "./cluster-faults.ts";
import { Ledger } from "./lib/ledger.ts";
import type { ConsumerRole, Notice, PublisherRole, Role } from "./lib/protocol.ts";
import type { QueuePlan } from "./lib/topology.ts";
import { spreadOf, Timeline } from "./lib/timeline.ts";
import { randomFrom } from "./lib/random.ts";

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
/** How long it may take in the end until everything has arrived, and until a process has ended. */
const arrivesWithin = 120_000;
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

const ledger = new Ledger(queues.map(({ queue, inOrder }) => ({ name: queue, inOrder })));
const timeline = new Timeline();
const counts = new Map<string, number>();
const problems: string[] = [];

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
      const application = new Application({ roles: [role], urls, heartbeat: 4, weighEvery: 0 }, hear);
      applications.push(application);
      await application.told("ready");
    };
    for (const role of [...publishers, ...consumers]) await start(role);
    say(`${applications.length} processes at work`);
    await faults(cluster);
    await finish(applications);
  } catch (error) {
    problems.push(String(error));
  } finally {
    await stopAll();
  }
  report((performance.now() - began) / 1000);
  return problems.length === 0 ? 0 : 1;
}

async function faults(cluster: RabbitMQCluster): Promise<void> {
  const random = randomFrom(Number(values.seed));
  const until = performance.now() + (values.kills === "Infinity" ? Number(values.minutes) * 60_000 : Infinity);
  while (performance.now() < until && (counts.get("kill") ?? 0) < Number(values.kills)) {
    await delay(random() * 2 * Number(values.rest));
    const fault = chooseFault(random, cluster.nodes.length);
    await suffer(cluster, fault);
  }
}

async function suffer(cluster: RabbitMQCluster, fault: Fault): Promise<void> {
  const where = fault.nodes.map((index) => index + 1).join(" and ");
  say(`${fault.name} of node ${where}, for ${fault.lasts} ms; ${JSON.stringify(ledger.totals)}`);
  count(fault.name, fault.nodes.length);
  const takesMajority = fault.nodes.length * 2 > cluster.nodes.length;
  const inflicting = inflict(cluster, fault);
  const watching = takesMajority ? delay(200).then(() => timeline.watchReturn(cluster.nodes, names)) : undefined;
  await inflicting;
  await watching;
  await healthy(cluster, names, healsWithin).catch(async (error: unknown) => {
    // The cluster's own trouble: it is told, and the nodes that the fault was for are started anew.
    say(String(error));
    count("repair", 1);
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
  await poll(() => (ledger.isBalanced ? true : undefined), {
    within: arrivesWithin,
    every: 500,
    late: () => new Error(`${ledger.missing} confirmed messages did not arrive within ${arrivesWithin / 1000} s`),
  }).catch((error: unknown) => problems.push(String(error)));
  for (const application of applications) application.finish();
  const ends = await Promise.all(applications.map((application) => application.ended(endsWithin)));
  problems.push(...ends.filter((end) => end !== undefined), ...ledger.problems);
}

function hear(notice: Notice): void {
  switch (notice.type) {
    case "published": {
      for (const [sequence, outcome] of notice.outcomes) ledger.settled(notice.queue, sequence, outcome);
      const confirmed = notice.outcomes.filter(([, outcome]) => outcome === "confirmed");
      return timeline.confirmed(
        notice.queue,
        confirmed.map(([, , at]) => at),
      );
    }
    case "finished":
      return ledger.finished(notice.queue, notice.published);
    case "consumed":
      count("redelivered", notice.redelivered);
      for (const body of notice.bodies) ledger.consumed(notice.queue, body);
      return;
    case "lost":
      return count("lost", 1);
    case "recovered":
      timeline.outages.push(notice.took);
      for (const failure of notice.failures) say(`${notice.role}, not recovered: ${failure}`);
      return count("failures", notice.failures.length);
    case "replaced":
      say(`${notice.role}, consumer ended: ${notice.why}`);
      return count("replaced", 1);
    case "ready":
    case "churned":
    case "weight":
      return;
  }
}

function report(seconds: number): void {
  const { published, confirmed, unknown, notSent, refused, consumed, duplicates } = ledger.totals;
  const of = (name: FaultName | "lost" | "failures" | "replaced" | "repair" | "redelivered"): number =>
    counts.get(name) ?? 0;
  const outages = spreadOf(timeline.outages);
  const returns = spreadOf(timeline.returns);
  console.log(`
seed ${values.seed}, RabbitMQ ${values.release}, ${Math.round(seconds)} s
faults         ${of("kill")} kills, ${of("pause")} pauses, ${of("partition")} partitions, ${of("restart")} restarts; ${of("repair")} times the cluster needed help
messages       ${published} published: ${confirmed} confirmed, ${unknown} unknown, ${notSent} not sent, ${refused} refused
               ${consumed} consumed, ${duplicates} duplicates (${of("redelivered")} deliveries were marked as redelivered)
clients        ${of("lost")} connections lost, ${outages.count} recovered; outage ${outages.median} ms (median), ${outages.longest} ms (longest)
               ${of("failures")} items not recovered, ${of("replaced")} consumers opened anew by the application
confirms       longest time without one: ${Math.round(timeline.longestGap)} ms
               after the majority's return, the first one of a publisher: ${returns.median} ms (median), ${returns.longest} ms (longest), ${returns.count} times
`);
  for (const problem of problems) console.log(`PROBLEM: ${problem}`);
  console.log(problems.length === 0 ? "nothing lost, nothing invented, everything in order" : "FAILED");
}

function count(what: string, by: number): void {
  counts.set(what, (counts.get(what) ?? 0) + by);
}

function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);
}
