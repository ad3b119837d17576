/** Results as lines of text. */

import type { Cell, Curve } from "./results.ts";
import type { Tally, Verdict } from "./verdicts.ts";

/** Three digits, with as many zeros as it takes. */
export function figure(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 1000) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3);
}

function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toPrecision(3)}M/s`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toPrecision(3)}k/s`;
  return `${perSecond.toPrecision(3)}/s`;
}

/** Columns of text, the first to the left and all others to the right. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, text] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, text.length);
  return rows.map((row) =>
    row
      .map((text, index) => (index === 0 ? text.padEnd(widths[index]!) : text.padStart(widths[index]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** Every client at one workload. */
export function cellLines(cells: readonly Cell[]): string[] {
  return columns(
    cells.map(
      ({ client, runtime, cpu, system, rate: perSecond, latency, collecting, allocated, memory, residentMemory }) => {
        const range = (spread: { least: number; most: number }): string =>
          `(${figure(spread.least)}–${figure(spread.most)})`;
        if (memory !== undefined) {
          return [
            `  ${client}`,
            `${figure(memory.median)} B`,
            range(memory),
            `resident ${figure(residentMemory?.median ?? 0)} B`,
          ];
        }
        if (cpu === undefined) return [`  ${client}`, "nothing"];
        return [
          `  ${client}`,
          `${figure(cpu.median)} µs CPU`,
          range(cpu),
          `system ${figure(system?.median ?? 0)}`,
          rate(perSecond?.median ?? 0),
          allocated === undefined ? "" : `${figure(allocated.median)} B allocated`,
          collecting === undefined || runtime !== "node" ? "" : `${figure(collecting.median / 10)} % collecting`,
          latency === undefined ? "" : `p50 ${figure(latency.p50.median)} µs, p99 ${figure(latency.p99.median)} µs`,
        ];
      },
    ),
  );
}

const units = { cpu: "µs CPU", rate: "/s", memory: "B" } as const;

/** Leveret beside the best of the others, with the goals, and with what the limits reach where one is missed. */
export function verdictLines(verdicts: readonly Verdict[]): string[] {
  const judged = (passed: boolean | undefined): string =>
    passed === undefined ? "" : passed ? "passed" : "NOT REACHED";
  const rows = verdicts.map(({ workload, of, ours, best, ratio, goal, passed, limits, ofLimit }) => [
    `  ${workload}`,
    `${figure(ours)} ${units[of]}`,
    `${best.client} ${figure(best.value)}`,
    `${ratio.toPrecision(3)}x`,
    goal === undefined ? "" : `goal ${goal}x`,
    judged(passed),
    ofLimit === undefined ? "" : `${ofLimit.times.toPrecision(2)}x hand-written`,
    judged(ofLimit?.passed),
    passed === false ? limits.map((limit) => `${limit.client} ${limit.ratio.toPrecision(3)}x`).join(", ") : "",
  ]);
  const head = ["  workload", "Leveret", "best peer", "ratio", "", "", "", "", "limits, where missed"];
  return columns([head, ...rows]);
}

export function tallyLines(tallies: readonly Tally[]): string[] {
  const all = (key: "reached" | "of"): number => tallies.reduce((sum, tally) => sum + tally[key], 0);
  const rows = [...tallies, { name: "all goals", reached: all("reached"), of: all("of") }];
  return columns(rows.map(({ name, reached, of }) => [`  ${name}`, `${reached} of ${of} reached`]));
}

export function curveLines(curves: readonly Curve[]): string[] {
  return columns(
    curves.map(({ name, points, growth, passed }) => [
      `  ${name}`,
      ...points.map(({ at, cpu }) => `${at.toLocaleString("en")}: ${figure(cpu.median)}`),
      `far end ${growth.toPrecision(2)}x of least`,
      passed ? "flat" : "NOT FLAT",
    ]),
  );
}
