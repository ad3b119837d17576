/** All rounds of all clients at all workloads: one process after the other, those that are compared in turns. */

import { run } from "../tools/lib/process.ts";
import { can } from "./abilities.ts";
import type { Assignment, Report } from "./assignment.ts";
import { type Client, type Command, commandOf, warmUpFactor } from "./clients.ts";
import { type Counterpart, type Slices, takesMessages } from "./counterparts.ts";
import { type Comparison, type Pace, type Run, runsOf } from "./pace.ts";
import { coresOf, move, placed } from "./placement.ts";
import type { Progress } from "./progress.ts";
import { type Cell, nullBroker, summarise } from "./results.ts";
import type { Workload } from "./workloads.ts";

export interface Plan {
  readonly clients: readonly Client[];
  readonly workloads: readonly Workload[];
  readonly sources: boolean;
  readonly nodeOptions: readonly string[];
  readonly pace: Pace;
  /** Ends it early, with what was measured until then. */
  readonly signal?: AbortSignal;
}

/** Milliseconds that pass at most while warming up on RabbitMQ, and while measuring: there clients mostly wait. */
const longestOnReal = 2000;

/** What RabbitMQ is given, where queues are filled before: slices in place of milliseconds. */
function realSlicesOf(workload: Workload, pace: Pace): Slices {
  const operations = warmUpOperationsOf(workload, pace);
  const warmUp = operations === undefined || !("slice" in workload) ? 1 : Math.ceil(operations / workload.slice);
  return { warmUp, measure: 2 };
}

/** Operations of the warm-up, at least, where the pace leaves time for them. */
function warmUpOperationsOf(workload: Workload, { untilCompiled }: Pace): number | undefined {
  return untilCompiled && "work" in workload ? workload.warmUp : undefined;
}

/** A client that takes longer than this has stopped. */
const within = 120_000;

/** What a plan comes to on the null broker, or on RabbitMQ. */
export function scheduleOf({ clients, workloads, pace }: Plan, onNullBroker: boolean): Run[] {
  const comparisons = workloads.map(
    (workload): Comparison => ({
      workload,
      clients: clients.filter((client) => can(client, workload, onNullBroker)),
    }),
  );
  return runsOf(comparisons, pace, onNullBroker);
}

/** @returns what was measured, and what went wrong: whoever failed a check is not in the cells of that round. */
export async function measureAll(
  plan: Plan,
  counterpart: Counterpart,
  progress?: Progress,
): Promise<{ cells: Cell[]; failures: string[] }> {
  const failures: string[] = [];
  // What others did is worth having all the same.
  const failed = (error: unknown): undefined => {
    if (plan.signal?.aborted) return; // the client may have been told as well
    failures.push(error instanceof Error ? error.message : String(error));
  };
  const reports = new Map<Workload, Map<Client, Report[]>>();
  for (const each of scheduleOf(plan, counterpart.name === nullBroker)) {
    if (plan.signal?.aborted) break;
    progress?.begin();
    const report = await measure(plan, counterpart, each).catch((error: unknown) => failed(error));
    progress?.end();
    if (report === undefined) continue;
    const ofWorkload = reports.get(each.workload) ?? new Map<Client, Report[]>();
    reports.set(each.workload, ofWorkload.set(each.client, [...(ofWorkload.get(each.client) ?? []), report]));
  }
  const cells = plan.workloads.flatMap((workload) =>
    plan.clients.flatMap((client) => {
      const found = reports.get(workload)?.get(client);
      return found === undefined ? [] : [summarise(counterpart.name, workload, client, found)];
    }),
  );
  return { cells, failures };
}

/** @throws Error when the client failed, or did not do what it should have done. */
async function measure(plan: Plan, counterpart: Counterpart, { workload, client, countsAllocations }: Run) {
  const { sources, nodeOptions, pace } = plan;
  const { measure: milliseconds } = pace;
  const warmUp = pace.warmUp * (warmUpFactor[client.runtime] ?? 1);
  const real = counterpart.name !== nullBroker;
  const longest = "work" in workload ? (workload.longest ?? (real ? longestOnReal : undefined)) : undefined;
  const realSlices = realSlicesOf(workload, pace);
  const warmUpOperations = warmUpOperationsOf(workload, pace);
  const assignment: Assignment = {
    driver: client.driver,
    task: taskOf(workload),
    broker: await counterpart.prepare(workload, realSlices),
    warmUp,
    measure: milliseconds,
    ...(longest === undefined ? {} : { longest }),
    ...(warmUpOperations === undefined ? {} : { warmUpOperations }),
    ...(real && takesMessages(workload) ? { slices: realSlices } : {}),
    ...(countsAllocations ? { allocations: true } : {}),
  };
  const { program, args } = await place(workload, counterpart, commandOf(client, sources, nodeOptions));
  const timeout = within + warmUp + milliseconds;
  const { code, stdout, output } = await run(program, [...args, JSON.stringify(assignment)], { timeout });
  if (code !== 0) throw new Error(`${client.name} failed at ${workload.name}:\n${output}`);
  const report = JSON.parse(stdout) as Report;
  await counterpart.verify(workload, report);
  return report;
}

/** Client and server on the cores that they are to use, where both can be told. */
async function place(workload: Workload, { processes }: Counterpart, command: Command): Promise<Command> {
  const cores = processes.length > 0 ? await coresOf(process.pid) : undefined;
  if (cores === undefined) return command;
  const chosen = "oneCore" in workload ? cores.one : cores.all;
  await move(processes, chosen);
  return placed(command, chosen);
}

function taskOf(workload: Workload): Assignment["task"] {
  if ("holding" in workload) return { holding: workload.holding, count: workload.count };
  return { work: workload.work, slice: workload.slice };
}
