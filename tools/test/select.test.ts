import { describe, expect, it } from "vitest";
import { commandOf, select } from "./select.ts";
import { type Step, type Suite, steps } from "./steps.ts";

const gate: Step = { kind: "gate", name: "types", command: ["true"] };
const unit: Suite = { kind: "suite", name: "unit tests", runtime: "node", projects: ["core", "tools"] };
const suite: Suite = {
  kind: "suite",
  name: "conformance in Deno",
  runtime: "deno",
  projects: ["conformance"],
  broker: "4",
};
const all: readonly Step[] = [gate, unit, suite];

describe("choosing steps", () => {
  it("takes all without words", () => {
    expect(select(all, [])).toEqual({ steps: all, vitestArguments: [] });
  });

  it("takes steps by their names and projects by theirs", () => {
    expect(select(all, ["types"]).steps).toEqual([gate]);
    expect(select(all, ["core"]).steps).toEqual([{ ...unit, projects: ["core"] }]);
    expect(select(all, ["deno", "Unit"]).steps).toEqual([unit, suite]);
    expect(select(all, ["nothing"]).steps).toEqual([]);
  });

  it("hands options on to vitest", () => {
    const { steps: chosen, vitestArguments } = select(all, ["core", "-t", "a name"]);
    expect(commandOf(chosen[0] as Suite, vitestArguments).slice(-4)).toEqual(["--project", "core", "-t", "a name"]);
  });
});

describe("the steps", () => {
  it("have names of their own", () => {
    const names = steps.map((step) => `${step.name} ${step.kind === "suite" ? step.broker : ""}`);
    expect(new Set(names).size).toBe(names.length);
  });
});
