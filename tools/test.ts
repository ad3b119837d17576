/**
 * Everything that must hold, in one run: `npm test`. What it does is listed in test/steps.ts; CONTRIBUTING.md says how to
 * run a part of it. With `CI` set, what cannot be tested on this machine counts as failed.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ensureChromium } from "./chromium.ts";
import { CommandError, run, runOrThrow } from "./lib/process.ts";
import { UnavailableError } from "./lib/unavailable.ts";
import { Brokers } from "./test/brokers.ts";
import { type Counts, closingLine, countTests, nothing, sum } from "./test/results.ts";
import { schedule } from "./test/schedule.ts";
import { commandOf, select } from "./test/select.ts";
import { type Gate, type RuntimeName, runtimes, type Step, type Suite, steps } from "./test/steps.ts";
import { type SuiteReport, table } from "./test/table.ts";

const lanes = 2;
const suiteWithin = 20 * 60_000;
const isCI = (process.env.CI ?? "") !== "" && process.env.CI !== "false";

const started = performance.now();
// A broker of somebody else's stands in for the machine's own; it makes no sense to ask it to be of another release.
const hasForeignBroker = (process.env.AMQP_URL ?? "") !== "";
const possible = steps.filter(
  (step) => !(hasForeignBroker && step.kind === "suite" && (step.broker ?? "system") !== "system"),
);
const { steps: chosen, vitestArguments } = select(possible, process.argv.slice(2));
const brokers = new Brokers();
const scratch = mkdtempSync(path.join(tmpdir(), "leveret-test-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
// Brokers end with this process, by themselves.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));
const notTested: string[] = [];
const reports: SuiteReport[] = [];

function report(outcome: "ok" | "FAILED" | "NOT RUN", step: Step, details: readonly string[], output = ""): void {
  console.log([outcome.padEnd(8), describe(step).padEnd(60), ...details].join(" ").trimEnd());
  if (output !== "") console.log(`${output.trimEnd().replace(/^/gm, "    ")}\n`);
}

function describe(step: Step): string {
  if (step.kind !== "suite" || step.broker === undefined) return step.name;
  return `${step.name}, RabbitMQ ${hasForeignBroker ? "at AMQP_URL" : step.broker}`;
}

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

async function runGate(gate: Gate): Promise<Counts> {
  const since = performance.now();
  const [program, ...args] = gate.command;
  // One process installs, and no other meanwhile; the gate says itself what it could not try.
  const CHROMIUM = gate.browser === true ? await ensureChromium().catch(() => undefined) : undefined;
  const env = CHROMIUM === undefined ? {} : { CHROMIUM };
  const { code, output } = await run(program as string, args, { env, timeout: suiteWithin });
  report(code === 0 ? "ok" : "FAILED", gate, [seconds(since)], code === 0 ? "" : output);
  return code === 0 ? { ...nothing, passed: 1 } : { ...nothing, failed: 1 };
}

async function runSuite(suite: Suite): Promise<Counts> {
  let env: Record<string, string>;
  try {
    await versionOf(suite.runtime);
    env = await environmentOf(suite);
  } catch (error) {
    if (!(error instanceof UnavailableError || error instanceof CommandError)) throw error;
    notTested.push(`${describe(suite)}: ${error.message}`);
    report("NOT RUN", suite, [], error.message);
    return isCI ? { ...nothing, failed: 1 } : { ...nothing, skipped: 1 };
  }
  const since = performance.now();
  const reportFile = path.join(scratch, `${chosen.indexOf(suite)}.json`);
  const [program, ...args] = commandOf(suite, vitestArguments);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const { code, output } = await run(program, [...args, ...reporters], { env, timeout: suiteWithin });
  const counts = countTests(reportFile, code);
  reports.push({ runtime: suite.browser === true ? "Chromium" : columnOf(suite.runtime), file: reportFile });
  report(
    counts.failed === 0 ? "ok" : "FAILED",
    suite,
    [closingLine(counts), seconds(since)],
    counts.failed === 0 ? "" : output,
  );
  if (counts.failed > 0 && suite.broker !== undefined) await brokers.renew(suite.broker);
  return counts;
}

/** Tells the tests of a suite which browser and broker to use. */
async function environmentOf(suite: Suite): Promise<Record<string, string>> {
  const browser = suite.browser === true ? { CHROMIUM: await ensureChromium() } : {};
  return { ...browser, ...(await brokerVariables(suite)) };
}

async function brokerVariables(suite: Suite): Promise<Record<string, string>> {
  if (suite.ownBroker !== undefined) {
    const release = await brokers.get(suite.ownBroker).then(
      () => suite.ownBroker as string,
      () => "system",
    );
    return { AMQP_URL: "", RABBITMQ_NODE: "", RABBITMQ_RELEASE: release };
  }
  if (suite.broker === undefined) return {};
  const { folder } = await brokers.get(suite.broker);
  // Without a folder it is the broker of AMQP_URL, which the tests find by themselves.
  return folder === undefined ? {} : { RABBITMQ_NODE: folder };
}

/** @throws CommandError when the runtime is not there. */
async function versionOf(runtime: RuntimeName): Promise<string> {
  const [program, ...args] = runtimes[runtime].version;
  const output = await runOrThrow(program as string, args);
  return `${columnOf(runtime).toLowerCase().split(" ", 1)[0]} ${/\d+\.\d+\.\d+/.exec(output)?.[0] ?? "(unknown)"}`;
}

/** `Node 22`, `Deno`. */
function columnOf(runtime: RuntimeName): string {
  const [, name = "", version] = /^([a-z]+)(\d*)$/.exec(runtime) ?? [];
  const shown = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  if (name !== "node") return shown;
  return `${shown} ${version || process.versions.node.split(".", 1)[0]}`;
}

async function main(): Promise<Counts> {
  if (chosen.length === 0) {
    console.error(`no step is named so; there are: ${[...new Set(steps.map(({ name }) => name))].join(", ")}`);
    return { ...nothing, failed: 1 };
  }
  for (const step of chosen) {
    const release = step.kind === "suite" ? (step.broker ?? step.ownBroker) : undefined;
    if (release !== undefined) brokers.prepare(release);
  }
  const tasks = chosen.map((step) => ({
    needs: step.kind === "suite" ? step.broker : undefined,
    run: () => (step.kind === "gate" ? runGate(step) : runSuite(step)),
  }));
  try {
    return sum(await schedule(tasks, lanes));
  } finally {
    const used = new Set(chosen.flatMap((step) => (step.kind === "suite" ? [step.runtime] : [])));
    const origin = (release: string) => (hasForeignBroker ? "AMQP_URL" : release);
    const versions = (await brokers.list()).map(({ version, release }) => `RabbitMQ ${version} (${origin(release)})`);
    console.log(`\nbrokers:  ${versions.join(", ") || "none"}`);
    const runtimeVersions = await Promise.all(
      [...used].map((name) => versionOf(name).catch(() => `${name} (missing)`)),
    );
    console.log(`runtimes: ${runtimeVersions.join(", ") || "none"}`);
    await brokers.stop();
  }
}

const counts = await main();
for (const line of ["", ...table(reports), ""]) console.log(line);
for (const missing of notTested)
  console.log(`NOT TESTED HERE${isCI ? " (a failure, since CI is set)" : ""}: ${missing}`);
console.log(`in ${seconds(started)}`);
console.log(closingLine(counts));
process.exit(counts.failed === 0 ? 0 : 1);
