/**
 * The process that is measured: one client, one workload. It takes an {@link Assignment} as JSON in its argument, and
 * prints a {@link Report} as JSON. Any failed check fails the process.
 */

import { PerformanceObserver } from "node:perf_hooks";
import process from "node:process";
import v8 from "node:v8";
import type { Assignment, Latency, MemoryReport, Report, TimedReport } from "./assignment.ts";
import type { Broker, Driver, Session, Slice } from "./drivers/driver.ts";
import { nextTurn } from "./drivers/loops.ts";
import { brokerOf, prepare } from "./slices.ts";
import type { Holding, Work } from "./workloads.ts";

/**
 * Connections that are opened before memory is looked at, so that code and caches are there: after few, a part of the code
 * is still to be compiled, and would count as memory of the connections that follow.
 */
const connectionsBefore = 200;
/** Most peers wait 40 ms for each. */
const connectionsAtOnce = 20;

async function main(assignment: Assignment): Promise<Report> {
  const { driver } = (await import(`./drivers/${assignment.driver}.ts`)) as { driver: Driver };
  const broker = brokerOf(assignment);
  const { task } = assignment;
  return "holding" in task ? hold(driver, broker, task) : time(driver, broker, task, assignment);
}

// Time

async function time(
  driver: Driver,
  broker: Broker,
  { work, slice: count }: { readonly work: Work; readonly slice: number },
  { warmUp, warmUpOperations, measure, longest = Infinity, slices, allocations = false }: Assignment,
): Promise<TimedReport> {
  const latencies: number[] = [];
  const { slice, close } = await prepare(driver, broker, work, (nanoseconds) => latencies.push(nanoseconds));

  await repeat(slice, count, { milliseconds: warmUp, longest, slices: slices?.warmUp, operations: warmUpOperations });
  latencies.length = 0;
  const garbage = allocations ? profileCollections() : watchCollections();
  const started = performance.now();
  const before = process.cpuUsage();
  const limits = { milliseconds: measure, longest, slices: slices?.measure };
  const { operations, rss } = await repeat(slice, count, limits);
  const { user, system } = process.cpuUsage(before);
  const elapsed = (performance.now() - started) * 1000;
  const collected = garbage();
  await close();
  return {
    operations,
    user,
    system,
    elapsed,
    ...collected,
    rss,
    ...(latencies.length === 0 ? {} : { latency: percentiles(latencies) }),
  };
}

interface Limits {
  /** CPU time after which no other slice begins. */
  readonly milliseconds: number;
  /** Or so many that pass. */
  readonly longest: number;
  /** In place of them: how many slices. */
  readonly slices: number | undefined;
  /** Before so many operations it is never enough. */
  readonly operations?: number | undefined;
}

async function repeat(slice: Slice, count: number, limits: Limits): Promise<{ operations: number; rss: number[] }> {
  const started = performance.now();
  const before = process.cpuUsage();
  const rss: number[] = [];
  const isEnough = (): boolean => {
    if (limits.slices !== undefined) return rss.length >= limits.slices;
    if (rss.length * count < (limits.operations ?? 0)) return false;
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 >= limits.milliseconds || performance.now() - started >= limits.longest;
  };
  do {
    await slice(count);
    rss.push(process.memoryUsage.rss());
  } while (!isEnough());
  return { operations: rss.length * count, rss };
}

// Memory

async function hold(
  driver: Driver,
  broker: Broker,
  { holding, count }: { readonly holding: Holding; readonly count: number },
): Promise<MemoryReport> {
  return holding.kind === "idle"
    ? holdConnections(driver, broker, holding, count)
    : holdMessages(driver, broker, holding, count);
}

async function holdConnections(
  driver: Driver,
  broker: Broker,
  { shape }: Holding,
  count: number,
): Promise<MemoryReport> {
  const sessions: Session[] = [];
  const open = async (): Promise<void> => {
    const session = await driver.connect(broker, shape);
    await session.openChannel?.();
    sessions.push(session);
  };
  const openMany = async (wanted: number): Promise<void> => {
    for (let left = wanted; left > 0; left -= connectionsAtOnce) {
      await Promise.all(Array.from({ length: Math.min(left, connectionsAtOnce) }, open));
    }
  };
  await openMany(connectionsBefore);
  const before = await memory();
  await openMany(count);
  const after = await memory();
  if (sessions.length !== connectionsBefore + count) throw new Error("connections are missing");
  return perPiece(before, after, count);
}

/** The broker confirms nothing until another connection opens a channel. */
async function holdMessages(driver: Driver, broker: Broker, { shape }: Holding, count: number): Promise<MemoryReport> {
  const session = await driver.connect(broker, shape);
  const other = await driver.connect(broker, shape);
  const slice = await session.confirm?.({ shape, window: count + 1, promises: true }, () => {});
  if (slice === undefined) throw new Error("the driver knows no confirms");
  const few = slice(cycleOf(count / 10));
  await passSending();
  await other.openChannel?.();
  await few;
  const before = await memory();
  let confirmed = false;
  const all = slice(count).then(() => (confirmed = true));
  await passSending();
  const after = await memory();
  // oxlint-disable-next-line typescript/no-unnecessary-condition -- set while this waited
  if (confirmed) throw new Error("the messages were confirmed before they were looked at");
  await other.openChannel?.();
  await all;
  return perPiece(before, after, count);
}

/** Nobody tells when all that was published has left; it has long before this. */
function passSending(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000));
}

const cycleOf = (count: number): number => Math.ceil(count / 16) * 16;

/** What is in use when everything that can be collected is. */
async function memory(): Promise<{ heap: number; external: number; rss: number }> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("memory is measured with --expose-gc");
  for (let turn = 0; turn < 4; turn += 1) {
    await nextTurn();
    gc();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed, external, rss };
}

type Memory = Awaited<ReturnType<typeof memory>>;

function perPiece(before: Memory, after: Memory, count: number): MemoryReport {
  return {
    heap: (after.heap - before.heap) / count,
    external: (after.external - before.external) / count,
    resident: (after.rss - before.rss) / count,
  };
}

// What surrounds it

type Collected = Pick<TimedReport, "collections" | "collecting" | "allocated">;

function watchCollections(): () => Collected {
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

/** What was allocated: what the heap grew by between one collection and the next. It costs time. */
function profileCollections(): () => Collected {
  const profiler = new v8.GCProfiler();
  profiler.start();
  let after = process.memoryUsage().heapUsed;
  return () => {
    const end = process.memoryUsage().heapUsed;
    const { statistics } = profiler.stop();
    let allocated = 0;
    let collecting = 0;
    for (const { beforeGC, afterGC, cost } of statistics) {
      allocated += Math.max(0, beforeGC.heapStatistics.usedHeapSize - after);
      after = afterGC.heapStatistics.usedHeapSize;
      collecting += cost / 1000;
    }
    allocated += Math.max(0, end - after);
    return { collections: statistics.length, collecting, allocated };
  };
}

function percentiles(nanoseconds: readonly number[]): Latency {
  const sorted = Float64Array.from(nanoseconds).sort();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]! / 1000;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? "{}") as Assignment)));
process.exit(0);
