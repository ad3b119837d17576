import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { renderStatePage, statePage } from "./state-machine.ts";

it("docs/state-machine.md is what the tables of phases say (node tools/state-machine.ts makes it anew)", () => {
  expect(readFileSync(new URL(`../${statePage}`, import.meta.url), "utf8")).toBe(renderStatePage());
});
