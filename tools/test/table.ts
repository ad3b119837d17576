/**
 * The table at the end of a run: what became of each group of cases in each runtime. Its data are the reports that vitest
 * has written, one for each suite.
 */

import { type Counts, nothing, readReport, sum } from "./results.ts";

/** A suite that has run, and the column that it belongs to. */
export interface SuiteReport {
  readonly runtime: string;
  /** Where vitest's JSON reporter wrote. */
  readonly file: string;
}

type Cells = Map<string, Counts>;

/** The table as lines; none when no runner has run. */
export function table(suites: readonly SuiteReport[]): string[] {
  const rows = new Map<string, Cells>();
  const reasons = new Map<string, Set<string>>();
  for (const { runtime, file } of suites) {
    for (const { name, assertionResults } of readReport(file)?.testResults ?? []) {
      const runner = /conformance\/src\/runners\/(.+?)(\.\w+)?\.\w+\.test\.ts$/.exec(name)?.[1];
      if (runner === undefined) continue;
      for (const { title, status, meta } of assertionResults) {
        const group = groupOf(runner, title);
        const cells = rows.get(group) ?? new Map<string, Counts>();
        rows.set(group, cells.set(runtime, sum([cells.get(runtime) ?? nothing, countOf(status)])));
        if (status === "passed" || status === "failed") continue;
        const reason = meta?.skipReason ?? `${runner}: ${title}`;
        reasons.set(reason, (reasons.get(reason) ?? new Set()).add(runtime));
      }
    }
  }
  if (rows.size === 0) return [];
  const columns = [...new Set(suites.map(({ runtime }) => runtime))].filter((column) =>
    [...rows.values()].some((cells) => cells.has(column)),
  );
  return [...draw(rows, columns), "", ...explain(reasons)];
}

/** Cases carry their group in their title; other runners are a group each. */
function groupOf(runner: string, title: string): string {
  const isCases = runner === "cases" || /^embedded(-\d|$)/.test(runner);
  const named = title.includes(": ") ? title.slice(0, title.indexOf(": ")) : undefined;
  if (isCases) return named ?? title;
  if (runner.startsWith("io-contract")) return `I/O contract: ${named ?? "others"}`;
  return runner.replaceAll("-", " ");
}

function countOf(status: string): Counts {
  if (status === "passed") return { ...nothing, passed: 1 };
  return status === "failed" ? { ...nothing, failed: 1 } : { ...nothing, skipped: 1 };
}

/** `12`, and with them `2 failed`, `3 skipped`. Nothing where a group does not run. */
function cell(counts: Counts | undefined): string {
  if (counts === undefined) return "";
  const { passed, failed, skipped } = counts;
  return [String(passed), failed > 0 ? `${failed} FAILED` : "", skipped > 0 ? `${skipped} skipped` : ""]
    .filter((part) => part !== "")
    .join(", ");
}

function draw(rows: ReadonlyMap<string, Cells>, columns: readonly string[]): string[] {
  const total = new Map(
    columns.map((column) => [column, sum([...rows.values()].map((cells) => cells.get(column) ?? nothing))] as const),
  );
  const lines = [
    ["passed", ...columns],
    ...[...rows].map(([group, cells]) => [group, ...columns.map((column) => cell(cells.get(column)))]),
    ["all", ...columns.map((column) => cell(total.get(column)))],
  ];
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0))) ?? [];
  return lines.map((line) =>
    line
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function explain(reasons: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...reasons].map(([reason, runtimes]) => `skipped in ${[...runtimes].join(", ")}: ${reason}`);
}
