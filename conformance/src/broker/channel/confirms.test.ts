import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Timers } from "../lib/timers.ts";
import { type Confirmation, type ConfirmOptions, type ConfirmOutcome, Confirms, coalesce } from "./confirms.ts";

/** What a publisher makes of answers: each publish once, and as what. */
function understood(open: Set<number>, answers: readonly Confirmation[]): Map<number, ConfirmOutcome> {
  const outcomes = new Map<number, ConfirmOutcome>();
  for (const { outcome, sequence, multiple } of answers) {
    const settled = multiple ? [...open].filter((each) => each <= sequence) : [sequence];
    expect(settled.length).toBeGreaterThan(0);
    for (const each of settled) {
      expect(open.delete(each)).toBe(true);
      outcomes.set(each, outcome);
    }
  }
  return outcomes;
}

function confirmsWith(options: Partial<ConfirmOptions>): {
  confirms: Confirms;
  timers: Timers;
  clock: { now: number };
} {
  const clock = { now: 0 };
  const timers = new Timers();
  const numbers = [0.9, 0.1, 0.5, 0.7, 0.3];
  let next = 0;
  const confirms = new Confirms({
    timers,
    options: { grouping: "batched", delay: 0, jitter: 0, nackRate: 0, ...options },
    now: () => clock.now,
    random: () => numbers[next++ % numbers.length] ?? 0,
    ready: () => {},
  });
  return { confirms, timers, clock };
}

describe("the answers to a publisher", () => {
  it("settle every publish once, as what it is, in any order and any batches", () => {
    const batch = fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(fc.nat(40), fc.array(batch, { maxLength: 6 }), (count, batches) => {
        const { confirms } = confirmsWith({});
        const waiting = Array.from({ length: count }, () => confirms.begin());
        const open = new Set(waiting);
        for (const each of batches) {
          const expected = new Map<number, ConfirmOutcome>();
          for (const [which, isAck] of each) {
            if (waiting.length === 0) break;
            const [sequence] = waiting.splice(which % waiting.length, 1) as [number];
            expected.set(sequence, isAck ? "ack" : "nack");
            confirms.settle(sequence, isAck ? "ack" : "nack");
          }
          expect(understood(open, confirms.takeAnswers())).toEqual(expected);
          expect(confirms.outstanding).toBe(waiting.length);
        }
      }),
    );
  });

  it("are put together below the first that is open", () => {
    const { confirms } = confirmsWith({});
    for (let count = 0; count < 5; count += 1) confirms.begin();
    for (const sequence of [5, 2, 1]) confirms.settle(sequence, "ack");
    expect(confirms.takeAnswers()).toEqual([
      { outcome: "ack", sequence: 2, multiple: true },
      { outcome: "ack", sequence: 5, multiple: false },
    ]);
    confirms.settle(3, "nack");
    confirms.settle(4, "nack");
    expect(confirms.takeAnswers()).toEqual([{ outcome: "nack", sequence: 4, multiple: true }]);
  });

  it("never cover one of the other kind that is answered behind them", () => {
    expect(coalesce([1, 2, 4], "ack", undefined, [3])).toEqual([
      { outcome: "ack", sequence: 2, multiple: true },
      { outcome: "ack", sequence: 4, multiple: false },
    ]);
  });

  it("come one by one where that is wanted", () => {
    const { confirms } = confirmsWith({ grouping: "single" });
    for (let count = 0; count < 3; count += 1) confirms.settle(confirms.begin(), "ack");
    expect(confirms.takeAnswers().map(({ multiple }) => multiple)).toEqual([false, false, false]);
  });

  it("come late, and out of order, where that is wanted", () => {
    const { confirms, timers, clock } = confirmsWith({ delay: 10, jitter: 100 });
    for (let count = 0; count < 5; count += 1) confirms.settle(confirms.begin(), "ack");
    expect(confirms.takeAnswers()).toEqual([]);
    const order: number[] = [];
    for (let next = timers.next(); next !== undefined; next = timers.next()) {
      clock.now = next;
      timers.advance(next);
      order.push(...confirms.takeAnswers().map(({ sequence }) => sequence));
    }
    expect(order).toEqual([2, 5, 3, 4, 1]);
    expect(confirms.outstanding).toBe(0);
  });

  it("do not come any more when the channel has ended", () => {
    const { confirms, timers } = confirmsWith({ delay: 10 });
    confirms.settle(confirms.begin(), "ack");
    confirms.end();
    expect(timers.next()).toBeUndefined();
  });
});
