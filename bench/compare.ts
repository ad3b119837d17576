/**
 * Whether a change made the codec slower: `npm run bench:compare`.
 *
 *     npm run bench:compare -- main                 the working tree against a revision
 *     npm run bench:compare -- v0.1.0 main          one revision against another
 *     npm run bench:compare -- main --only "decode 16" --pairs 15
 *
 * Times of a busy machine say nothing. So both are measured in turns, in fresh processes, and what counts is the ratio of
 * each pair. It fails when something is slower by more than a tenth in the median, and slower in nearly all pairs.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { repositoryRoot, runOrThrow } from "../tools/lib/process.ts";
import { spread } from "./results.ts";
import { columns } from "./table.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "" },
    pairs: { type: "string", default: "9" },
  },
});

/** What is slower than this in the median is slower. */
const tolerated = 1.1;
/** Of the pairs, at least so many must say the same: chance alone does so in one of fifty runs, with nine pairs. */
const agreement = 0.85;

type Costs = Readonly<Record<string, number>>;

async function measure(wire: string): Promise<Costs> {
  const program = fileURLToPath(new URL("compare-one.ts", import.meta.url));
  return JSON.parse(await runOrThrow(process.execPath, [program, wire, values.only])) as Costs;
}

/** Checks a revision out, and returns its `wire`, which needs nothing else. */
async function checkOut(revision: string | undefined, folder: string): Promise<string> {
  if (revision === undefined) return path.join(repositoryRoot, "core/src/wire/index.ts");
  await runOrThrow("git", ["worktree", "add", "--quiet", "--detach", folder, revision]);
  return path.join(folder, "core/src/wire/index.ts");
}

async function main(): Promise<boolean> {
  const [before, after] = positionals;
  if (before === undefined || positionals.length > 2) {
    console.error("usage: npm run bench:compare -- REVISION [REVISION] [--only WORDS] [--pairs COUNT]");
    return false;
  }
  const scratch = await mkdtemp(path.join(tmpdir(), "leveret-compare-"));
  try {
    const old = await checkOut(before, path.join(scratch, "before"));
    const young = await checkOut(after, path.join(scratch, "after"));
    const pairs: { readonly old: Costs; readonly young: Costs }[] = [];
    for (let pair = 0; pair < Number(values.pairs); pair += 1) {
      console.error(`pair ${pair + 1} of ${values.pairs}`);
      // Whoever comes second has the warmer machine, so they take turns in that too.
      if (pair % 2 === 0) {
        const first = await measure(old);
        pairs.push({ old: first, young: await measure(young) });
      } else {
        const first = await measure(young);
        pairs.push({ old: await measure(old), young: first });
      }
    }
    return judge(pairs);
  } finally {
    await rm(scratch, { recursive: true });
    await runOrThrow("git", ["worktree", "prune"]);
  }
}

/** @returns whether nothing is slower. */
function judge(pairs: readonly { readonly old: Costs; readonly young: Costs }[]): boolean {
  const rows: string[][] = [["", "before", "after", "ratio", "", ""]];
  let isGood = true;
  for (const name of Object.keys(pairs[0]?.young ?? {})) {
    const both = pairs.flatMap(({ old, young }) => {
      const [from, to] = [old[name], young[name]];
      return from === undefined || to === undefined ? [] : [{ from, to }];
    });
    if (both.length === 0) {
      rows.push([name, "not there", "", "", "", ""]);
      continue;
    }
    const ratios = both.map(({ from, to }) => to / from);
    const { median, least, most } = spread(ratios);
    const agreeing = ratios.filter((ratio) => ratio > 1 === median > 1).length / ratios.length;
    const slower = median > tolerated && agreeing >= agreement;
    const faster = median < 1 / tolerated && agreeing >= agreement;
    isGood &&= !slower;
    rows.push([
      name,
      `${spread(both.map(({ from }) => from)).median.toFixed(0)} ns`,
      `${spread(both.map(({ to }) => to)).median.toFixed(0)} ns`,
      `${median.toFixed(2)}x`,
      `(${least.toFixed(2)}–${most.toFixed(2)})`,
      slower ? "SLOWER" : faster ? "faster" : "the same",
    ]);
  }
  for (const line of columns(rows)) console.log(line);
  return isGood;
}

process.exit((await main()) ? 0 : 1);
