/**
 * The process that is measured: one client, one workload. It takes what to do as JSON in its argument, and prints what it
 * cost as JSON. Any failed check fails the process.
 *
 *     node bench/client.ts '{"driver":"amqplib","workload":"publish 16 B","broker":{"kind":"null","port":1234},...}'
 */

import { PerformanceObserver } from "node:perf_hooks";
import type { Broker, Driver, Session, Slice, Stopwatch } from "./drivers/driver.ts";
import { deliveryQueue, getQueue } from "./messages.ts";
import { type Work, type Workload, workloads } from "./workloads.ts";

/** What a client process is to do. */
export interface Assignment {
  /** The name of its file in `drivers`. */
  readonly driver: string;
  readonly workload: string;
  readonly broker: {
    readonly kind: Broker["kind"];
    readonly port: number;
    /** Of RabbitMQ: queues that were filled, with a slice each. The null broker makes up its own. */
    readonly queues?: readonly string[];
  };
  /** CPU time to warm up and to measure, in milliseconds. Whole slices are done, at least one of each. */
  readonly warmUp: number;
  readonly measure: number;
  /** With a factor, slices are shorter or longer. */
  readonly scale?: number;
}

/** What it cost. Times are CPU times of the process in microseconds, user and system, all threads. */
export interface Report {
  readonly operations: number;
  readonly user: number;
  readonly system: number;
  /** Wall clock, in microseconds. */
  readonly elapsed: number;
  readonly collections: number;
  /** Milliseconds. */
  readonly collecting: number;
  /** In microseconds, where one operation waits for the other. */
  readonly latency?: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
}

async function main(assignment: Assignment): Promise<Report> {
  const workload = workloads.find(({ name }) => name === assignment.workload);
  if (workload === undefined) throw new Error(`there is no workload ${assignment.workload}`);
  const { driver } = (await import(`./drivers/${assignment.driver}.ts`)) as { driver: Driver };
  const session = await driver.connect(brokerOf(assignment, workload), workload.work.shape);
  const latencies: number[] = [];
  const slice = await prepare(session, workload.work, (nanoseconds) => latencies.push(nanoseconds));
  const count = Math.max(16, Math.round((workload.slice * (assignment.scale ?? 1)) / 16) * 16);

  await runFor(slice, count, assignment.warmUp);
  latencies.length = 0;
  const garbage = watchCollections();
  const started = performance.now();
  const before = process.cpuUsage();
  const operations = await runFor(slice, count, assignment.measure);
  const { user, system } = process.cpuUsage(before);
  const elapsed = (performance.now() - started) * 1000;
  const { collections, collecting } = garbage();
  await session.close();
  const waited = latencies.length === 0 ? {} : { latency: percentiles(latencies) };
  return { operations, user, system, elapsed, collections, collecting, ...waited };
}

async function runFor(slice: Slice, count: number, milliseconds: number): Promise<number> {
  const before = process.cpuUsage();
  let operations = 0;
  for (;;) {
    await slice(count);
    operations += count;
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1000 >= milliseconds) return operations;
  }
}

function prepare(session: Session, work: Work, stopwatch: Stopwatch): Promise<Slice> {
  const prepared = ((): Promise<Slice> | undefined => {
    switch (work.kind) {
      case "publish":
        return session.publish?.(work);
      case "confirm":
        return session.confirm?.(work, stopwatch);
      case "consume":
        return session.consume?.(work);
      case "ack":
        return session.ack?.(work);
      case "get":
        return session.get?.(work, stopwatch);
      case "rpc":
        return session.rpc?.(work, stopwatch);
    }
  })();
  if (prepared === undefined) throw new Error("the driver cannot do this");
  return prepared;
}

function brokerOf({ broker }: Assignment, { work }: Workload): Broker {
  const queues = [...(broker.queues ?? [])];
  return {
    kind: broker.kind,
    port: broker.port,
    nextQueue: (shape, count, consumers) => {
      if (broker.kind === "null") return work.kind === "get" ? getQueue(shape) : deliveryQueue(shape, count, consumers);
      const queue = queues.shift();
      if (queue === undefined) throw new Error("no more queues are filled");
      return queue;
    },
  };
}

function watchCollections(): () => { collections: number; collecting: number } {
  let collections = 0;
  let collecting = 0;
  // Not every runtime tells.
  const { supportedEntryTypes } = PerformanceObserver as unknown as { supportedEntryTypes?: readonly string[] };
  if (supportedEntryTypes?.includes("gc") !== true) return () => ({ collections, collecting });
  const count = (entries: readonly { duration: number }[]): void => {
    collections += entries.length;
    for (const { duration } of entries) collecting += duration;
  };
  const observer = new PerformanceObserver((list) => count(list.getEntries()));
  observer.observe({ entryTypes: ["gc"] });
  return () => {
    count(observer.takeRecords());
    observer.disconnect();
    return { collections, collecting };
  };
}

function percentiles(nanoseconds: number[]): NonNullable<Report["latency"]> {
  const sorted = Float64Array.from(nanoseconds).sort();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]! / 1000;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? "{}") as Assignment)));
process.exit(0);
