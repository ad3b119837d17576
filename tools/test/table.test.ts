import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { table } from "./table.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "leveret-table-"));
});

afterEach(() => rm(folder, { recursive: true }));

type Test = readonly [title: string, status: string, skipReason?: string];

/** Writes a report as vitest does. */
async function write(name: string, files: Record<string, readonly Test[]>): Promise<string> {
  const file = path.join(folder, name);
  const testResults = Object.entries(files).map(([runner, tests]) => ({
    name: `/somewhere/conformance/src/runners/${runner}`,
    status: "passed",
    assertionResults: tests.map(([title, status, skipReason]) => ({ title, status, meta: { skipReason } })),
  }));
  await writeFile(file, JSON.stringify({ testResults }));
  return file;
}

it("shows groups by runtime, what failed, and why something was skipped", async () => {
  const node = await write("node.json", {
    "cases.node.test.ts": [
      ["TLS: a", "passed"],
      ["queues: b", "passed"],
      ["queues: c: d", "failed"],
    ],
    "examples.node.test.ts": [["first.ts", "skipped"]],
    "io-contract.node.test.ts": [
      ["tcp: a", "passed"],
      ["goes on when a task throws", "passed"],
    ],
  });
  const embedded = await write("embedded.json", { "embedded-4.3.node.test.ts": [["queues: b", "passed"]] });
  const browser = await write("browser.json", {
    "cases.chromium.node.test.ts": [
      ["TLS: a", "skipped", "needs tls"],
      ["queues: b", "passed"],
      ["queues: c: d", "passed"],
    ],
    "demo-page.chromium.node.test.ts": [["clicks", "passed"]],
  });
  const unit = await write("unit.json", {});
  const lines = table([
    { runtime: "Node 24", file: unit },
    { runtime: "Node 24", file: node },
    { runtime: "Node 24", file: embedded },
    { runtime: "Bun", file: unit },
    { runtime: "Chromium", file: browser },
    { runtime: "Chromium", file: path.join(folder, "never-written.json") },
  ]);
  expect(lines).toEqual([
    "passed                Node 24                 Chromium",
    "TLS                   1                       0, 1 skipped",
    "queues                2, 1 FAILED             2",
    "examples              0, 1 skipped",
    "I/O contract: tcp     1",
    "I/O contract: others  1",
    "demo page                                     1",
    "all                   5, 1 FAILED, 1 skipped  3, 1 skipped",
    "",
    "skipped in Node 24: examples: first.ts",
    "skipped in Chromium: needs tls",
  ]);
});

it("is empty when no runner has run", async () => {
  expect(table([{ runtime: "Node 24", file: await write("unit.json", {}) }])).toEqual([]);
});
