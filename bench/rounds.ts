/** All rounds of all clients at all workloads: one process after the other, those that are compared in turns. */

import { run } from "../tools/lib/process.ts";
import type { Assignment, Report } from "./assignment.ts";
import { type Client, commandOf } from "./clients.ts";
import { can } from "./abilities.ts";
import type { Counterpart } from "./counterparts.ts";
import { type Cell, nullBroker, summarise } from "./results.ts";
import type { Workload } from "./workloads.ts";

export interface Plan {
  readonly counterpart: Counterpart;
  readonly clients: readonly Client[];
  readonly workloads: readonly Workload[];
  readonly sources: boolean;
  readonly nodeOptions: readonly string[];
  readonly allocations: boolean;
  readonly rounds: number;
  /** At most so many on RabbitMQ, and of the points of a curve. Default: as many as otherwise. */
  readonly fewerRounds?: number;
  /** Milliseconds of CPU time. */
  readonly warmUp: number;
  readonly measure: number;
}

/** What RabbitMQ is given, where queues are filled before: slices in place of milliseconds. */
const realSlices = { warmUp: 1, measure: 2 };
/** Filling them takes most of the time. */
const realRounds = 3;
/** A client that takes longer than this has stopped. */
const within = 120_000;

/** @returns what was measured, and what went wrong: whoever failed a check is not in the cells of that round. */
export async function measureAll(plan: Plan): Promise<{ cells: Cell[]; failures: string[] }> {
  const { counterpart, workloads } = plan;
  const isReal = counterpart.name !== nullBroker;
  const fewerRounds = Math.min(plan.rounds, plan.fewerRounds ?? Infinity);
  const roundsOf = ({ growth }: Workload): number => {
    if (isReal) return Math.min(fewerRounds, realRounds);
    return growth === undefined ? plan.rounds : fewerRounds;
  };
  const pairs = workloads.map((workload) => ({
    workload,
    clients: plan.clients.filter((client) => can(client, workload, !isReal)),
  }));
  // A last round counts what is allocated, on Node: counting takes time, so its times do not count.
  const total = pairs.reduce(
    (sum, { clients, workload }) => sum + clients.length * roundsOf(workload) + profiled(clients, workload).length,
    0,
  );
  const progress = new Progress(total);
  const failures: string[] = [];
  // What others did is worth having all the same.
  const failed = (error: unknown): undefined => {
    failures.push(error instanceof Error ? error.message : String(error));
  };
  const reports = new Map<string, Report[]>();
  const add = async (workload: Workload, client: Client, allocations: boolean): Promise<void> => {
    progress.show(`${workload.name}, ${client.name}, ${counterpart.name}`);
    const report = await measure(plan, workload, client, allocations).catch((error: unknown) => failed(error));
    if (report === undefined) return;
    const key = `${workload.name}\n${client.name}`;
    reports.set(key, [...(reports.get(key) ?? []), report]);
  };
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const { workload, clients } of pairs) {
      if (round >= roundsOf(workload)) continue;
      // Nobody is always the first.
      for (let turn = 0; turn < clients.length; turn += 1) {
        await add(workload, clients[(turn + round) % clients.length]!, false);
      }
    }
  }
  for (const { workload, clients } of pairs) {
    for (const client of profiled(clients, workload)) await add(workload, client, true);
  }
  progress.end();
  const cells = pairs.flatMap(({ workload, clients }) =>
    clients.flatMap((client) => {
      const found = reports.get(`${workload.name}\n${client.name}`);
      return found === undefined ? [] : [summarise(counterpart.name, workload, client, found)];
    }),
  );
  return { cells, failures };

  function profiled(clients: readonly Client[], workload: Workload): Client[] {
    if (!plan.allocations || counterpart.name !== nullBroker || "holding" in workload || workload.growth !== undefined)
      return [];
    return clients.filter(({ runtime }) => runtime === "node");
  }
}

/** @throws Error when the client failed, or did not do what it should have done. */
async function measure(plan: Plan, workload: Workload, client: Client, allocations: boolean): Promise<Report> {
  const { counterpart, sources, nodeOptions, warmUp, measure: milliseconds } = plan;
  const real = counterpart.name !== nullBroker;
  const assignment: Assignment = {
    driver: client.driver,
    task: "work" in workload ? workloadTask(workload) : { holding: workload.holding, count: workload.count },
    broker: await counterpart.prepare(workload, realSlices),
    warmUp,
    measure: milliseconds,
    ...(real ? { slices: realSlices } : {}),
    ...(allocations ? { allocations } : {}),
  };
  const { program, args } = commandOf(client, sources, nodeOptions);
  const timeout = within + warmUp + milliseconds;
  const { code, stdout, output } = await run(program, [...args, JSON.stringify(assignment)], { timeout });
  if (code !== 0) throw new Error(`${client.name} failed at ${workload.name}:\n${output}`);
  const report = JSON.parse(stdout) as Report;
  await counterpart.verify(workload, report);
  return report;
}

function workloadTask({ work, slice }: Extract<Workload, { work: unknown }>): Assignment["task"] {
  return { work, slice };
}

/** A line that says how far it is, where somebody can see it. */
class Progress {
  readonly #total: number;
  readonly #started = performance.now();
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  show(what: string): void {
    const seconds = (performance.now() - this.#started) / 1000;
    const left = this.#done === 0 ? "" : `, ${Math.ceil((seconds / this.#done) * (this.#total - this.#done))} s left`;
    this.#done += 1;
    const line = `${this.#done} of ${this.#total}${left}: ${what}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
    else if (this.#done % 25 === 1 || this.#done === this.#total) console.error(line);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }
}
