/** How much is measured: how often, and for how long. */

import type { Client } from "./clients.ts";
import type { Workload } from "./workloads.ts";

/** Rounds of what is compared for a goal, of others fewer: at most as many as `rounds`. */
export interface Pace {
  readonly rounds: number;
  /** The points of a curve, where Leveret is alone. */
  readonly curveRounds: number;
  /** Memory hardly differs from one process to the next. */
  readonly memoryRounds: number;
  /** On Deno and Bun, but for the limits, which are no goal there: one. */
  readonly elsewhereRounds: number;
  /** Clients of other languages, which are no goal's measure. */
  readonly foreignRounds: number;
  /** On RabbitMQ, where filling queues takes most of the time, and figures of one client differ by a quarter. */
  readonly realRounds: number;
  /** Whether a last round counts what is allocated, on Node: counting takes time, so its times do not count. */
  readonly allocations: boolean;
  /** Whether warming up lasts until code is compiled, where that takes longer than `warmUp`. */
  readonly untilCompiled: boolean;
  /** Milliseconds of CPU time. */
  readonly warmUp: number;
  readonly measure: number;
}

const once = { rounds: 1, curveRounds: 1, memoryRounds: 1, elsewhereRounds: 1, foreignRounds: 1, realRounds: 1 };

export const paces = {
  quick: { ...once, allocations: false, untilCompiled: false, warmUp: 150, measure: 150 },
  brief: {
    rounds: 5,
    curveRounds: 2,
    memoryRounds: 3,
    elsewhereRounds: 3,
    foreignRounds: 1,
    realRounds: 5,
    allocations: true,
    untilCompiled: true,
    warmUp: 400,
    measure: 250,
  },
  thorough: {
    rounds: 7,
    curveRounds: 5,
    memoryRounds: 5,
    elsewhereRounds: 5,
    foreignRounds: 3,
    realRounds: 7,
    allocations: true,
    untilCompiled: true,
    warmUp: 400,
    measure: 500,
  },
} as const satisfies Record<string, Pace>;

/** One process: a client at a workload. */
export interface Run {
  readonly workload: Workload;
  readonly client: Client;
  readonly countsAllocations: boolean;
}

export interface Comparison {
  readonly workload: Workload;
  readonly clients: readonly Client[];
}

/** All rounds of all comparisons: clients that are compared take turns, and nobody is always the first. */
export function runsOf(comparisons: readonly Comparison[], pace: Pace, onNullBroker: boolean): Run[] {
  const runs: Run[] = [];
  for (let round = 0; round < pace.rounds; round += 1) {
    for (const { workload, clients } of comparisons) {
      for (let turn = 0; turn < clients.length; turn += 1) {
        const client = clients[(turn + round) % clients.length]!;
        if (round >= roundsOf(pace, workload, client, onNullBroker)) continue;
        runs.push({ workload, client, countsAllocations: false });
      }
    }
  }
  if (!pace.allocations || !onNullBroker) return runs;
  for (const { workload, clients } of comparisons) {
    if ("holding" in workload || workload.growth !== undefined) continue;
    for (const client of clients)
      if (client.runtime === "node") runs.push({ workload, client, countsAllocations: true });
  }
  return runs;
}

function roundsOf(pace: Pace, workload: Workload, { runtime, role }: Client, onNullBroker: boolean): number {
  const wanted = [pace.rounds];
  if (!onNullBroker) wanted.push(pace.realRounds);
  if (workload.growth !== undefined) wanted.push(pace.curveRounds);
  if ("holding" in workload) wanted.push(pace.memoryRounds);
  if (runtime === "deno" || runtime === "bun") wanted.push(role === "limit" ? 1 : pace.elsewhereRounds);
  if (runtime === "python" || runtime === "c") wanted.push(pace.foreignRounds);
  return Math.min(...wanted);
}
