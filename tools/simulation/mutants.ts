/**
 * Checks that the simulation bites: applies each deliberate bug of mutations/, one at a time, and runs seeds until a
 * rule is broken: `npm run test:mutants`.
 *
 *     --seeds N        how many seeds each gets at most (default 3000)
 *     --only WORDS     those that have these words in their names
 *     --tier NAME      those of one tier: engine, client or recovery
 *     --report FILE    writes the list and the result as Markdown
 *
 * It exits with 1 when a bug got away, or when its place is not in the source any more.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { mutations } from "./mutations.ts";
import type { Mutation, TierName } from "./mutations/mutation.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Milliseconds that one seed may take, on a machine that is busy. */
const longestSeed = 60_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "3000" },
    only: { type: "string", default: "" },
    tier: { type: "string" },
    report: { type: "string" },
  },
});

interface Verdict {
  readonly caught: boolean;
  /** The seed that found it, or the last that did not; `undefined` when it hung, or could not be run. */
  readonly seed: number | undefined;
  /** The rule that was broken, or why there is no seed. */
  readonly found: string;
}

async function judge(mutation: Mutation, folder: string): Promise<Verdict> {
  const { tier, name } = mutation;
  if (!(await isInSource(mutation))) return { caught: false, seed: undefined, found: "its place is not in the source" };
  const output = await runSeeds(await bundled(mutation, folder), tier, 1, Number(values.seeds));
  if (output === undefined) return { caught: true, seed: undefined, found: "it hangs" };
  const { seed, found } = JSON.parse(output) as { seed: number; found: string };
  if (found === "") return { caught: false, seed, found };
  // The bug has to be what is found: without it the same seed finds nothing.
  const sane = await runSeeds(await bundled(undefined, folder), tier, seed, 1);
  if (sane === undefined || (JSON.parse(sane) as { found: string }).found !== "") {
    throw new Error(`seed ${seed} of the tier ${tier} finds something without the bug "${name}", too`);
  }
  return { caught: true, seed, found };
}

/** Whether its place is there, once. */
async function isInSource({ file, find }: Mutation): Promise<boolean> {
  const source = await readFile(path.join(root, file), "utf8");
  return source.split(find).length === 2;
}

/** The program that runs seeds, with a bug in it or without. */
async function bundled(mutation: Mutation | undefined, folder: string): Promise<string> {
  const outfile = path.join(folder, mutation === undefined ? "sane.mjs" : "mutant.mjs");
  if (mutation === undefined && existsSync(outfile)) return outfile;
  await build({
    entryPoints: [path.join(root, "tools/simulation/run-seeds.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    conditions: ["@leveret/source"],
    logLevel: "silent",
    plugins: mutation === undefined ? [] : [{ name: "mutation", setup: (setup) => applyTo(setup, mutation) }],
  });
  return outfile;
}

/** Resolves with what it prints; with nothing when it hangs. */
async function runSeeds(bundle: string, tier: TierName, first: number, count: number): Promise<string | undefined> {
  const child = spawn(process.execPath, [bundle, tier, String(first), String(count)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  let hangs = false;
  const patience = setTimeout(() => {
    hangs = true;
    child.kill("SIGKILL");
  }, longestSeed);
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  child.stderr.on("data", (chunk) => {
    errors = (errors + String(chunk)).slice(-2000);
    patience.refresh();
  });
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(patience);
  if (hangs) return undefined;
  if (code !== 0) throw new Error(`the seeds could not be run: ${errors}`);
  return output;
}

function applyTo(
  setup: Parameters<NonNullable<Parameters<typeof build>[0]["plugins"]>[number]["setup"]>[0],
  mutation: Mutation,
): void {
  const target = path.join(root, mutation.file);
  setup.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
    if (file !== target) return undefined;
    const source = await readFile(file, "utf8");
    return { contents: source.replace(mutation.find, () => mutation.replace), loader: "ts" };
  });
}

/** What is said of a verdict, on one line. */
function wordsOf({ caught, seed, found }: Verdict): string {
  if (!caught && seed !== undefined) return `not in ${seed} seeds`;
  const [first = ""] = found.split("\n");
  return seed === undefined ? first : `seed ${seed}: ${first}`;
}

function reportOf(results: readonly (readonly [Mutation, Verdict])[]): string {
  const caught = results.filter(([, verdict]) => verdict.caught);
  const rows = results.map(([{ tier, file, name }, verdict]) => {
    const words = wordsOf(verdict).replaceAll("|", "\\|").replaceAll("<", "&lt;");
    return `| ${tier} | ${name} | \`${path.basename(file)}\` | ${verdict.caught ? "" : "**escaped**: "}${words} |`;
  });
  return [
    "# Deliberate bugs",
    "",
    "Made by `npm run test:mutants -- --report docs/mutants.md`. Each bug of `tools/simulation/mutations/` was applied",
    `alone, and up to ${values.seeds} seeds of its tier were run: ${caught.length} of ${results.length} were caught. [simulation.md](simulation.md) says more.`,
    "",
    "| tier | bug | file | what found it |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

const folder = await mkdtemp(path.join(tmpdir(), "leveret-mutants-"));
const results: (readonly [Mutation, Verdict])[] = [];
try {
  const chosen = mutations.filter(
    ({ name, tier }) => name.includes(values.only) && (values.tier === undefined || tier === values.tier),
  );
  for (const [index, mutation] of chosen.entries()) {
    const verdict = await judge(mutation, folder);
    results.push([mutation, verdict]);
    const place = `${String(index + 1).padStart(2)}/${chosen.length}`;
    console.log(`${place} ${verdict.caught ? "caught " : "ESCAPED"} ${mutation.name} (${wordsOf(verdict)})`);
  }
} finally {
  await rm(folder, { recursive: true });
}
const escaped = results.filter(([, { caught }]) => !caught).length;
console.log(`${results.length - escaped} of ${results.length} deliberate bugs were caught`);
if (values.report !== undefined) await writeFile(values.report, reportOf(results));
process.exitCode = escaped === 0 ? 0 : 1;
