import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NumberedStep, Play, type Step } from "./testing/play.ts";
import { joined } from "../wire/bytes.ts";

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ client: "open" } as const) },
  { weight: 8, arbitrary: fc.constant({ client: "request" } as const) },
  { weight: 3, arbitrary: fc.constant({ client: "send" } as const) },
  { weight: 8, arbitrary: fc.constant({ client: "publish" } as const) },
  { weight: 3, arbitrary: fc.constant({ client: "ack" } as const) },
  { weight: 2, arbitrary: fc.constant({ client: "closeChannel" } as const) },
  { weight: 1, arbitrary: fc.constant({ client: "updateSecret" } as const) },
  { weight: 4, arbitrary: fc.constant({ client: "misuse" } as const) },
  { weight: 14, arbitrary: fc.constant({ server: "answer" } as const) },
  { weight: 6, arbitrary: fc.constant({ server: "settle" } as const) },
  { weight: 4, arbitrary: fc.constant({ server: "send" } as const) },
  { weight: 1, arbitrary: fc.constant({ server: "closeChannel" } as const) },
  { weight: 24, arbitrary: fc.constant({ network: "out" } as const) },
  { weight: 24, arbitrary: fc.constant({ network: "in" } as const) },
  { weight: 2, arbitrary: fc.oneof(fc.nat(2000), fc.nat(70_000)).map((clock) => ({ clock })) },
);
const ending: fc.Arbitrary<Step> = fc.constantFrom<Step>(
  { client: "close" },
  { server: "closeConnection" },
  { network: "hangUp" },
);
const number = fc.nat(1000);

function numbered(steps: fc.Arbitrary<Step>): fc.Arbitrary<NumberedStep> {
  return fc.tuple(steps, number, number).map(([each, a, b]) => ({ ...each, a, b }));
}

/** A schedule that ends one way or another, with something behind the end. */
const schedule = fc
  .tuple(
    fc.array(numbered(step), { minLength: 20, maxLength: 300, size: "max" }),
    numbered(ending),
    fc.array(numbered(fc.oneof({ weight: 9, arbitrary: step }, { weight: 1, arbitrary: ending })), { maxLength: 20 }),
  )
  .map(([before, end, after]) => [...before, end, ...after]);

describe("whatever happens", () => {
  it("every request ends once, every channel once, and the connection once and last; the server sees no mistake", () => {
    fc.assert(
      fc.property(schedule, (steps) => {
        new Play(false).play(steps);
      }),
      { numRuns: 400 },
    );
  });

  it("a mistake of the caller's changes nothing: events and output are as without it", () => {
    fc.assert(
      fc.property(schedule, (steps) => {
        const [without, withMistakes] = [new Play(false).play(steps), new Play(true).play(steps)];
        expect(withMistakes.events.map(({ type }) => type)).toEqual(without.events.map(({ type }) => type));
        expect(joined(withMistakes.output)).toEqual(joined(without.output));
        expect(withMistakes.engine.counters).toEqual(without.engine.counters);
      }),
      { numRuns: 200 },
    );
  });
});
