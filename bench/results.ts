/** What came out: medians with their spread, and how cost grows. */

import type { Latency, MemoryReport, Report, TimedReport } from "./assignment.ts";
import type { Client } from "./clients.ts";
import { flatFrom, flatWithin, type Workload } from "./workloads.ts";

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** One client at one workload, over all rounds. */
export interface Cell {
  readonly counterpart: string;
  readonly workload: string;
  readonly client: string;
  readonly runtime: string;
  readonly role: Client["role"];
  readonly rounds: number;
  /** CPU time, user and system, in microseconds an operation. */
  readonly cpu?: Spread;
  readonly system?: Spread;
  /** Operations a second. */
  readonly rate?: Spread;
  readonly latency?: Readonly<Record<keyof Latency, Spread>>;
  /** Garbage collections in a million operations. */
  readonly collections?: Spread;
  /** Milliseconds of them, in a second that passes. */
  readonly collecting?: Spread;
  /** Bytes of the heap that an operation allocates. */
  readonly allocated?: Spread;
  /** Bytes of resident memory: after the first slice, at most, and after the last. */
  readonly resident?: { readonly first: number; readonly most: number; readonly last: number };
  /** Bytes that each thing takes that is held: heap and buffers, and as the system sees it. */
  readonly memory?: Spread;
  readonly residentMemory?: Spread;
}

export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly at: number; readonly cpu: Spread }[];
  /** The cost at the far end in multiples of the least from {@link flatFrom} on. */
  readonly growth: number;
  readonly passed: boolean;
}

export function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

const isTimed = (report: Report): report is TimedReport => "operations" in report;

export function summarise(counterpart: string, workload: Workload, client: Client, reports: readonly Report[]): Cell {
  const { name, runtime, role } = client;
  const about = { counterpart, workload: workload.name, client: name, runtime, role, rounds: reports.length };
  const timed = reports.filter(isTimed);
  return timed.length > 0 ? { ...about, ...times(timed) } : { ...about, ...sizes(reports as readonly MemoryReport[]) };
}

function times(reports: readonly TimedReport[]): Partial<Cell> {
  const plain = reports.filter(({ allocated }) => allocated === undefined);
  const profiled = reports.flatMap(({ allocated, operations }) =>
    allocated === undefined ? [] : [allocated / operations],
  );
  const of = (value: (report: TimedReport) => number): Spread =>
    spread((plain.length > 0 ? plain : reports).map(value));
  const waited = plain.flatMap(({ latency }) => latency ?? []);
  const percentile = (name: keyof Latency): Spread => spread(waited.map((latency) => latency[name]));
  const { rss } = reports.at(-1)!;
  return {
    cpu: of(({ user, system, operations }) => (user + system) / operations),
    system: of(({ system, operations }) => system / operations),
    rate: of(({ elapsed, operations }) => (operations / elapsed) * 1e6),
    collections: of(({ collections, operations }) => (collections / operations) * 1e6),
    collecting: of(({ collecting, elapsed }) => (collecting * 1e6) / elapsed),
    resident: { first: rss[0]!, most: Math.max(...rss), last: rss.at(-1)! },
    ...(profiled.length === 0 ? {} : { allocated: spread(profiled) }),
    ...(waited.length === 0
      ? {}
      : {
          latency: { p50: percentile("p50"), p90: percentile("p90"), p99: percentile("p99"), max: percentile("max") },
        }),
  };
}

function sizes(reports: readonly MemoryReport[]): Partial<Cell> {
  return {
    memory: spread(reports.map(({ heap, external }) => heap + external)),
    residentMemory: spread(reports.map(({ resident }) => resident)),
  };
}

export const nullBroker = "null broker";

export function curves(cells: readonly Cell[], workloads: readonly Workload[]): Curve[] {
  const byName = new Map<string, { at: number; cpu: Spread }[]>();
  for (const { workload, cpu, role, runtime } of cells) {
    const growth = workloads.find(({ name }) => name === workload)?.growth;
    if (growth === undefined || cpu === undefined || role !== "ours" || runtime !== "node") continue;
    byName.set(growth.curve, [...(byName.get(growth.curve) ?? []), { at: growth.at, cpu }]);
  }
  return [...byName].map(([name, points]) => {
    points.sort((a, b) => a.at - b.at);
    const far = points.filter(({ at }) => at >= Math.min(flatFrom, points.at(-1)!.at));
    const growth = far.at(-1)!.cpu.median / Math.min(...far.map(({ cpu }) => cpu.median));
    return { name, points, growth, passed: growth <= flatWithin };
  });
}
