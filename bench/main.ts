/**
 * The benchmark: `npm run bench`.
 *
 *     npm run bench -- --only "publish 16"        workloads whose names have all these words; again for more of them
 *     npm run bench -- --drivers leveret,amqplib  only these
 *     npm run bench -- --sources                  Leveret as in the sources, not as built
 *     npm run bench -- --rounds 5
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { repositoryRoot, run, runOrThrow } from "../tools/lib/process.ts";
import type { Assignment, Report } from "./client.ts";
import { workloads } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [""] },
    drivers: { type: "string", default: "leveret-node,amqplib,rabbitmq-client,cloudamqp" },
    sources: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    "warm-up": { type: "string", default: "400" },
    measure: { type: "string", default: "500" },
    "node-options": { type: "string", default: "" },
  },
});

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const condition = "--conditions=@leveret/source";

async function startNullBroker(): Promise<number> {
  const child = spawn(process.execPath, [condition, here("null-broker/main.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  child.unref();
  return Number(line.toString());
}

const nodeOptions = values["node-options"].split(" ").filter((option) => option !== "");
async function measure(assignment: Assignment): Promise<Report> {
  const args = [...(values.sources ? [condition] : []), ...nodeOptions, here("client.ts"), JSON.stringify(assignment)];
  const { code, stdout, output } = await run(process.execPath, args, { timeout: 120_000 });
  if (code !== 0) throw new Error(`${assignment.driver}, ${assignment.workload}: failed\n${output}`);
  return JSON.parse(stdout) as Report;
}

const words = values.only.map((each) => each.toLowerCase().split(/\s+/));
const chosen = workloads.filter(({ name }) =>
  words.some((all) => all.every((word) => name.toLowerCase().includes(word))),
);
if (!values.sources) await runOrThrow(process.execPath, ["tools/packages.ts", "build"], { cwd: repositoryRoot });
const port = await startNullBroker();
const drivers = values.drivers.split(",");
const results = new Map<string, Report[]>();

for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const { name } of chosen) {
    for (let index = 0; index < drivers.length; index += 1) {
      const driver = drivers[(index + round) % drivers.length]!;
      const report = await measure({
        driver,
        workload: name,
        broker: { kind: "null", port },
        warmUp: Number(values["warm-up"]),
        measure: Number(values.measure),
      });
      const key = `${name}/${driver}`;
      results.set(key, [...(results.get(key) ?? []), report]);
      process.stderr.write(`\r${name} ${driver}                              `);
    }
  }
}

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;
process.stderr.write("\r");
for (const { name } of chosen) {
  console.log(`\n${name}`);
  for (const driver of drivers) {
    const reports = results.get(`${name}/${driver}`)!;
    const cpus = reports.map(({ user, system, operations }) => (user + system) / operations);
    const cpu = median(cpus);
    const rate = median(reports.map(({ elapsed, operations }) => (operations / elapsed) * 1e6));
    const spread = `(${cpus[0]!.toPrecision(3)}–${cpus.at(-1)!.toPrecision(3)})`;
    const system = median(reports.map((each) => each.system / each.operations));
    const p50 =
      reports[0]?.latency === undefined ? "" : `  p50 ${median(reports.map((r) => r.latency!.p50)).toFixed(0)} µs`;
    console.log(
      `  ${driver.padEnd(18)} ${cpu.toPrecision(3).padStart(8)} µs CPU ${spread.padEnd(16)} of which system ${system.toPrecision(2).padStart(6)}` +
        `  ${Math.round(rate).toLocaleString("en").padStart(10)}/s${p50}`,
    );
  }
}
process.exit(0);
