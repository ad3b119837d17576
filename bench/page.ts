/** Results as a page: one file with everything in it, that needs no network. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Pace } from "./pace.ts";
import type { Cell, Curve } from "./results.ts";
import type { Tally, Verdict } from "./verdicts.ts";

/** What a run leaves, as JSON and in the page. */
export interface Results {
  /** When, where, and versions. */
  readonly about: Readonly<Record<string, string>>;
  readonly pace: Pace;
  readonly cells: readonly Cell[];
  readonly verdicts: readonly Verdict[];
  readonly curves: readonly Curve[];
  readonly tallies: readonly Tally[];
}

const part = (name: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`page/${name}`, import.meta.url)), "utf8");

export async function pageOf(results: Results): Promise<string> {
  const library = createRequire(import.meta.url)
    .resolve("chart.js")
    .replace(/[^/\\]*$/, "chart.umd.min.js");
  const [template, style, script, chart] = await Promise.all([
    part("page.html"),
    part("style.css"),
    part("script.js"),
    readFile(library, "utf8"),
  ]);
  const parts: Readonly<Record<string, string>> = {
    style,
    chart: chart.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, ""),
    // A closing tag inside of a string would end the script.
    results: JSON.stringify(results).replaceAll("<", "\\u003c"),
    script,
  };
  return template.replace(/\/\* (\w+) \*\//g, (_, name: string) => parts[name] ?? "");
}
