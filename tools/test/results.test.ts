import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { repositoryRoot, run } from "../lib/process.ts";
import { closingLine, countTests, sum } from "./results.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "leveret-results-"));
});

afterEach(() => rm(folder, { recursive: true }));

/** Runs vitest on files of this content and counts what it reports. */
async function count(...files: string[]) {
  for (const [index, text] of files.entries()) await writeFile(path.join(folder, `${index}.test.mjs`), text);
  const reportFile = path.join(folder, "report.json");
  const args = ["run", "--globals", "--root", folder, "--reporter=json", `--outputFile.json=${reportFile}`];
  const vitest = path.join(repositoryRoot, "node_modules/vitest/vitest.mjs");
  const { code } = await run(process.execPath, [vitest, ...args], { cwd: folder });
  return countTests(reportFile, code);
}

describe("counting tests", () => {
  it("tells passed, failed and skipped apart", async () => {
    const text = 'it("a", () => {}); it("b", () => { throw 1; }); it.skip("c", () => {}); it.todo("d");';
    expect(await count(text)).toEqual({ passed: 1, failed: 1, skipped: 2 });
  });

  it("counts a file that does not load as a failed test", async () => {
    expect(await count('it("a", () => {});', 'import "./missing.mjs";')).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  it("counts an error that nobody caught", async () => {
    const text = 'it("a", async () => { Promise.reject(new Error("lost")); await new Promise(setImmediate); });';
    expect(await count(text)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  it("counts a run without tests as failed", async () => {
    expect(await count()).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(countTests(path.join(folder, "nowhere.json"), 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});

describe("the closing line", () => {
  it("is the sum of all runs", () => {
    const runs = [
      { passed: 3, failed: 0, skipped: 0 },
      { passed: 2, failed: 1, skipped: 0 },
    ];
    expect(closingLine(sum(runs))).toBe("5 passed, 1 failed");
    expect(closingLine(sum([...runs, { passed: 0, failed: 0, skipped: 4 }]))).toBe("5 passed, 1 failed, 4 skipped");
    expect(closingLine(sum([]))).toBe("0 passed, 0 failed");
  });
});
