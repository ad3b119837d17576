import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { pikaParity } from "../conformance/src/parity/index.ts";
import { missingProofs, parityPage, renderParityPage } from "./pika-parity.ts";

describe("docs/pika-parity.md", () => {
  it("names only cases, tests and programs that there are", () => {
    expect(missingProofs()).toEqual([]);
  });

  it("says why, where a row has no counterpart", () => {
    const silent = pikaParity
      .flatMap(({ rows }) => rows)
      .filter(({ means, shownBy }) => shownBy.length + means.length === 0);
    expect(silent).toEqual([]);
  });

  it("is what the rows say (node --conditions=@leveret/source tools/pika-parity.ts makes it anew)", () => {
    expect(readFileSync(new URL(`../${parityPage}`, import.meta.url), "utf8")).toBe(renderParityPage());
  });
});
