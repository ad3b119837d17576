import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../wire/errors.ts";
import { Confirms, type ConfirmOutcome } from "./confirms.ts";

interface Run {
  readonly first: number;
  readonly last: number;
  readonly outcome: ConfirmOutcome;
}

function confirmsWith(published: number): { confirms: Confirms; runs: Run[] } {
  const runs: Run[] = [];
  const confirms = new Confirms((first, last, outcome) => runs.push({ first, last, outcome }));
  for (let i = 0; i < published; i += 1) confirms.published();
  return { confirms, runs };
}

describe("Confirms", () => {
  it("numbers publishes from 1", () => {
    const { confirms } = confirmsWith(0);
    expect(confirms.next).toBe(1);
    expect([confirms.published(), confirms.published()]).toEqual([1, 2]);
    expect(confirms.next).toBe(3);
    expect(confirms.outstanding).toBe(2);
  });

  it("settles each number once and as a naive list of flags would, whatever the order of acks and nacks", () => {
    // Few ranges: then much is settled early.
    const isMultiple = fc.nat(9).map((number) => number === 0);
    const command = fc.oneof(
      fc.nat(20).map((count) => ({ publish: count })),
      fc.record({ tag: fc.nat(80), multiple: isMultiple, outcome: fc.constantFrom<ConfirmOutcome>("ack", "nack") }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const { confirms, runs } = confirmsWith(0);
        const model: (ConfirmOutcome | undefined)[] = [];
        const settled: (ConfirmOutcome | undefined)[] = [];
        for (const each of commands) {
          if ("publish" in each) {
            for (let i = 0; i < each.publish; i += 1) {
              confirms.published();
              model.push(undefined);
            }
          } else {
            const { tag, multiple, outcome } = each;
            if (tag > model.length || (tag === 0 && !multiple)) {
              expect(() => confirms.settle(tag, multiple, outcome)).toThrow(ProtocolError);
              continue;
            }
            const first = multiple ? 1 : tag;
            const last = tag === 0 ? model.length : tag;
            for (let number = first; number <= last; number += 1) model[number - 1] ??= outcome;
            confirms.settle(tag, multiple, outcome);
          }
          for (const run of runs.splice(0)) {
            expect(run.first).toBeLessThanOrEqual(run.last);
            for (let number = run.first; number <= run.last; number += 1) {
              expect(settled[number - 1]).toBeUndefined();
              settled[number - 1] = run.outcome;
            }
          }
          expect(Array.from(model, (_, i) => settled[i])).toEqual(model);
          expect(confirms.outstanding).toBe(model.filter((outcome) => outcome === undefined).length);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("names runs, not numbers, and leaves out what was settled before", () => {
    const { confirms, runs } = confirmsWith(10);
    confirms.settle(3, false, "nack");
    confirms.settle(6, false, "ack");
    confirms.settle(8, true, "ack");
    expect(runs).toEqual([
      { first: 3, last: 3, outcome: "nack" },
      { first: 6, last: 6, outcome: "ack" },
      { first: 1, last: 2, outcome: "ack" },
      { first: 4, last: 5, outcome: "ack" },
      { first: 7, last: 8, outcome: "ack" },
    ]);
  });

  it("takes tag 0 with multiple for everything that is outstanding, and for nothing when nothing is", () => {
    const { confirms, runs } = confirmsWith(3);
    confirms.settle(0, true, "nack");
    confirms.settle(0, true, "ack");
    expect(runs).toEqual([{ first: 1, last: 3, outcome: "nack" }]);
  });

  it("ignores what was settled before", () => {
    const { confirms, runs } = confirmsWith(3);
    confirms.settle(2, true, "ack");
    confirms.settle(1, false, "nack");
    confirms.settle(2, true, "nack");
    expect(runs).toEqual([{ first: 1, last: 2, outcome: "ack" }]);
  });

  it("keeps next to nothing of what is confirmed behind a publish that is not, however much that is", () => {
    const count = 1_000_000;
    const confirms = new Confirms(() => {});
    confirms.published();
    const before = process.memoryUsage().heapUsed;
    for (let sequence = 2; sequence <= count; sequence += 1) {
      confirms.published();
      confirms.settle(sequence, false, "ack");
    }
    // A number in a map takes some 70 bytes.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 * count);
    expect(confirms.outstanding).toBe(1);
  });

  it("refuses a tag that was never given to a publish", () => {
    const { confirms } = confirmsWith(3);
    expect(() => confirms.settle(4, false, "ack")).toThrow("confirmed publish 4");
    expect(() => confirms.settle(0, false, "ack")).toThrow("confirmed publish 0");
  });
});
