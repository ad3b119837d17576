/**
 * Leveret beside other clients: `npm run bench`.
 *
 *     npm run bench                              everything, on the null broker and on RabbitMQ: hours
 *     npm run bench -- --brief                   everything in 90 minutes: fewer and shorter rounds where no goal hangs on it
 *     npm run bench -- --quick                   some of it once, in two minutes
 *     npm run bench -- --only "publish 16"       workloads whose names have all these words; may be given again
 *     npm run bench -- --clients leveret,amqplib
 *     npm run bench -- --on null                 or rabbitmq
 *     npm run bench -- --sources                 Leveret as in its sources, not as built
 *     npm run bench -- --rounds 5 --warm-up 400 --measure 500       at most so many; milliseconds of CPU time
 *     npm run bench -- --node-options="--cpu-prof --cpu-prof-dir=/tmp/profiles"
 *     npm run bench -- --no-allocations          saves a round that counts what is allocated
 *     npm run bench -- --long 120                also a long run, of so many seconds
 *     npm run bench -- --add                     keeps what earlier runs left there and this one does not measure
 *     npm run bench -- --out FOLDER              where results.json and index.html go; default bench/results
 *
 * Each figure comes from fresh processes, of which those that are compared take turns. SIGINT ends it early, with results
 * of the rounds that were done.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { CommandError, repositoryRoot, run, runOrThrow } from "../tools/lib/process.ts";
import { RabbitMQUnavailableError } from "../tools/rabbitmq/index.ts";
import { type Client, clients } from "./clients.ts";
import { type Counterpart, startNullBroker, startRealBroker } from "./counterparts.ts";
import { leaveOut } from "./foreign.ts";
import { type Pace, paces } from "./pace.ts";
import { pageOf } from "./page.ts";
import { coresOf } from "./placement.ts";
import { Progress, type Task } from "./progress.ts";
import { type Cell, curves, nullBroker } from "./results.ts";
import { measureAll, type Plan, scheduleOf } from "./rounds.ts";
import { cellLines, curveLines, tallyLines, verdictLines } from "./table.ts";
import { tallies, verdicts } from "./verdicts.ts";
import { longRun, type Workload, workloads } from "./workloads.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    quick: { type: "boolean", default: false },
    brief: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    clients: { type: "string" },
    on: { type: "string", default: "null,rabbitmq" },
    sources: { type: "boolean", default: false },
    rounds: { type: "string" },
    "warm-up": { type: "string" },
    measure: { type: "string" },
    "node-options": { type: "string", default: "" },
    allocations: { type: "boolean", default: true },
    long: { type: "string" },
    add: { type: "boolean", default: false },
    out: { type: "string", default: path.join(repositoryRoot, "bench", "results") },
  },
});

const pace = chosenPace();
const interrupted = new AbortController();
/** What the goals are about. */
const quickClients = ["leveret", "amqplib", "rabbitmq-client", "cloudamqp", "hand-written"];

function chosenPace(): Pace {
  const { rounds, warmUp, measure, allocations, ...fewer } =
    paces[values.quick ? "quick" : values.brief ? "brief" : "thorough"];
  return {
    ...fewer,
    rounds: Number(values.rounds ?? rounds),
    warmUp: Number(values["warm-up"] ?? warmUp),
    measure: Number(values.measure ?? measure),
    allocations: allocations && values.allocations,
  };
}

function chosenWorkloads(onNullBroker: boolean): Workload[] {
  const words = values.only?.map((each) => each.toLowerCase().split(/\s+/));
  return workloads.filter((workload) => {
    const name = workload.name.toLowerCase();
    if (words !== undefined) return words.some((all) => all.every((word) => name.includes(word)));
    return !values.quick || workload.quick === "both" || (onNullBroker && workload.quick === "null");
  });
}

function chosenClients(): Client[] {
  const names = values.clients?.split(",");
  if (names === undefined) return clients.filter(({ name }) => !values.quick || quickClients.includes(name));
  for (const name of names) if (!clients.some((client) => client.name === name)) throw new Error(`no client ${name}`);
  return clients.filter(({ name }) => names.includes(name));
}

/** A counterpart, and what is to be measured on it. */
interface Part {
  readonly start: () => Promise<Counterpart>;
  readonly plan: Plan;
  readonly tasks: readonly Task[];
}

function partsOf(present: readonly Client[]): Part[] {
  const on = values.on.split(",");
  const common = {
    clients: present,
    sources: values.sources,
    nodeOptions: values["node-options"].split(" ").filter((option) => option !== ""),
    pace,
    signal: interrupted.signal,
  };
  const part = (counterpart: string, start: Part["start"], plan: Plan): Part => ({
    start,
    plan,
    tasks: scheduleOf(plan, counterpart === nullBroker).map((each) => ({ ...each, counterpart })),
  });
  const parts: Part[] = [];
  if (on.includes("null")) {
    parts.push(part(nullBroker, startNullBroker, { ...common, workloads: chosenWorkloads(true) }));
    if (values.long !== undefined) {
      const once = { ...pace, allocations: false, rounds: 1, measure: Number(values.long) * 1000 };
      const clients = present.filter(({ name }) => name === "leveret");
      parts.push(part(nullBroker, startNullBroker, { ...common, clients, workloads: [longRun], pace: once }));
    }
  }
  if (on.includes("rabbitmq")) {
    parts.push(part("RabbitMQ", startRealBroker, { ...common, workloads: chosenWorkloads(false) }));
  }
  return parts.filter(({ tasks }) => tasks.length > 0);
}

async function measurePart({ start, plan }: Part, progress: Progress): Promise<Cell[]> {
  let counterpart: Counterpart;
  try {
    counterpart = await start();
  } catch (error) {
    if (!(error instanceof RabbitMQUnavailableError)) throw error;
    console.log(`not measured on RabbitMQ: ${error.message}`);
    return [];
  }
  try {
    const { cells, failures } = await measureAll(plan, counterpart, progress);
    for (const failure of failures) console.log(`FAILED: ${failure}`);
    if (failures.length > 0) process.exitCode = 1;
    return cells;
  } finally {
    await counterpart.stop();
  }
}

function report(cells: readonly Cell[]): void {
  for (const counterpart of new Set(cells.map((cell) => cell.counterpart))) {
    const here = cells.filter((cell) => cell.counterpart === counterpart);
    for (const workload of new Set(here.map((cell) => cell.workload))) {
      console.log(`\n${workload}, ${counterpart}`);
      for (const line of cellLines(here.filter((cell) => cell.workload === workload))) console.log(line);
    }
  }
  for (const counterpart of new Set(cells.map((cell) => cell.counterpart))) {
    const found = verdicts(cells, workloads).filter((verdict) => verdict.counterpart === counterpart);
    if (found.length === 0) continue;
    console.log(`\nLeveret beside the best other JavaScript client, ${counterpart}`);
    for (const line of verdictLines(found)) console.log(line);
  }
  const grown = curves(cells, workloads);
  if (grown.length > 0) console.log("\nHow the cost of an operation grows, µs CPU");
  for (const line of curveLines(grown)) console.log(line);
  const long = cells.find(({ workload }) => workload === longRun.name)?.resident;
  if (long !== undefined) {
    const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    const { first, most, last } = long;
    console.log(
      `\nResident memory of a long run, MiB: ${mebibytes(first)} at first, ${mebibytes(most)} at most, ${mebibytes(last)} at last`,
    );
  }
}

/** What is in the results already, but for what was measured again. */
async function cellsOfBefore(measured: readonly Cell[]): Promise<Cell[]> {
  const text = await readFile(path.join(values.out, "results.json"), "utf8");
  const { cells } = JSON.parse(text) as { cells: Cell[] };
  const key = ({ counterpart, workload, client }: Cell): string => JSON.stringify([counterpart, workload, client]);
  const again = new Set(measured.map(key));
  return cells.filter((cell) => !again.has(key(cell)));
}

/** What was measured, with what. */
async function circumstances(): Promise<Record<string, string>> {
  const revision = await run("git", ["rev-parse", "--short", "HEAD"]).catch(() => undefined);
  const version = async (name: string): Promise<string> => {
    const { default: manifest } = (await import(`${repositoryRoot}/node_modules/${name}/package.json`, {
      with: { type: "json" },
    })) as { default: { version: string } };
    return manifest.version;
  };
  return {
    date: new Date().toISOString(),
    revision: revision?.code === 0 ? revision.stdout.trim() : "unknown",
    leveret: values.sources ? "sources" : "built",
    node: process.version,
    processor: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
    system: `${process.platform} ${process.arch}`,
    "round trips": (await coresOf(process.pid)) ? "on one core" : "on any core",
    amqplib: await version("amqplib"),
    "rabbitmq-client": await version("rabbitmq-client"),
    cloudamqp: await version("@cloudamqp/amqp-client"),
    deno: await version("deno"),
    bun: await version("bun"),
  };
}

async function main(): Promise<void> {
  const started = performance.now();
  if (!values.sources) await runOrThrow(process.execPath, ["tools/packages.ts", "build"]);
  const present = await leaveOut(chosenClients());
  const parts = partsOf(present);
  const progress = new Progress(parts.flatMap(({ tasks }) => tasks));
  const cells: Cell[] = [];
  process.once("SIGINT", () => interrupted.abort());
  for (const part of parts) if (!interrupted.signal.aborted) cells.push(...(await measurePart(part, progress)));
  if (interrupted.signal.aborted) console.log("ended early");
  if (values.add) cells.unshift(...(await cellsOfBefore(cells)));
  report(cells);
  const about = await circumstances();
  const found = verdicts(cells, workloads);
  const grown = curves(cells, workloads);
  const results = { about, pace, cells, verdicts: found, curves: grown, tallies: tallies(found, grown) };
  await mkdir(values.out, { recursive: true });
  await writeFile(path.join(values.out, "results.json"), `${JSON.stringify(results, undefined, 1)}\n`);
  await writeFile(path.join(values.out, "index.html"), await pageOf(results));
  console.log("\nGoals");
  for (const line of tallyLines(results.tallies)) console.log(line);
  console.log(
    `in ${((performance.now() - started) / 1000).toFixed(0)} s; results in ${path.relative(process.cwd(), values.out)}`,
  );
}

try {
  await main();
} catch (error) {
  console.error(error instanceof CommandError ? error.message : error);
  process.exit(1);
}
process.exit();
