/**
 * Checks that the simulation bites: applies each deliberate bug of mutations.ts, one at a time, and runs seeds until a
 * rule is broken. `npm run test:mutants`; `-- --seeds N` for how many seeds each gets, `-- --only WORDS` for some of them.
 *
 * The report goes to the console. It exits with 1 when a bug got away, or when its place is not in the source any more.
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { build } from "esbuild";
import { type Mutation, mutations } from "./mutations.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const longestRun = 120_000;
const execute = promisify(execFile);

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "3000" }, only: { type: "string", default: "" } },
});

interface Verdict {
  readonly caught: boolean;
  readonly words: string;
}

async function judge(mutation: Mutation | undefined, folder: string): Promise<Verdict> {
  const bundle = path.join(folder, "mutant.mjs");
  await build({
    entryPoints: [path.join(root, "tools/simulation/run-seeds.ts")],
    outfile: bundle,
    bundle: true,
    format: "esm",
    platform: "node",
    conditions: ["@leveret/source"],
    logLevel: "silent",
    plugins: mutation === undefined ? [] : [{ name: "mutation", setup: (setup) => applyTo(setup, mutation) }],
  });
  try {
    const { stdout } = await execute(process.execPath, [bundle, values.seeds], {
      timeout: longestRun,
      killSignal: "SIGKILL",
    });
    const { seed, found } = JSON.parse(stdout) as { seed: number; found: string };
    return found === ""
      ? { caught: false, words: `not in ${seed} seeds` }
      : { caught: true, words: `seed ${seed}: ${found}` };
  } catch (error) {
    if ((error as { killed?: boolean }).killed === true) return { caught: true, words: "it hangs" };
    throw error;
  }
}

function applyTo(
  setup: Parameters<NonNullable<Parameters<typeof build>[0]["plugins"]>[number]["setup"]>[0],
  mutation: Mutation,
): void {
  const target = path.join(root, mutation.file);
  setup.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
    if (file !== target) return undefined;
    const source = await readFile(file, "utf8");
    const places = source.split(mutation.find).length - 1;
    if (places !== 1) throw new Error(`${mutation.file} has ${places} places for the mutation "${mutation.name}"`);
    return { contents: source.replace(mutation.find, () => mutation.replace), loader: "ts" };
  });
}

const folder = await mkdtemp(path.join(tmpdir(), "leveret-mutants-"));
let escaped = 0;
try {
  const chosen = mutations.filter(({ name }) => name.includes(values.only));
  const sane = await judge(undefined, folder);
  if (sane.caught) throw new Error(`the simulation finds something without any mutation: ${sane.words}`);
  for (const [index, mutation] of chosen.entries()) {
    const { caught, words } = await judge(mutation, folder);
    if (!caught) escaped += 1;
    console.log(
      `${String(index + 1).padStart(2)}/${chosen.length} ${caught ? "caught " : "ESCAPED"} ${mutation.name} (${words})`,
    );
  }
  console.log(`${chosen.length - escaped} of ${chosen.length} deliberate bugs were caught`);
} finally {
  await rm(folder, { recursive: true });
}
process.exitCode = escaped === 0 ? 0 : 1;
