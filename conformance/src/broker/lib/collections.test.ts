import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deque } from "./deque.ts";
import { Heap } from "./heap.ts";
import { Timers } from "./timers.ts";

describe("Deque", () => {
  it("gives what it was given, in order, however pushes and takes are mixed", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer(), { nil: undefined }), { maxLength: 400 }), (steps) => {
        const deque = new Deque<number>();
        const model: number[] = [];
        for (const step of steps) {
          if (step === undefined) {
            expect(deque.take()).toBe(model.shift());
          } else {
            deque.push(step);
            model.push(step);
          }
          expect(deque.length).toBe(model.length);
          expect(deque.peek()).toBe(model[0]);
          expect(deque.at(model.length - 1)).toBe(model.at(-1));
        }
        expect([...deque]).toEqual(model);
      }),
    );
  });

  it("does not keep what was taken", () => {
    const deque = new Deque<number>();
    for (let round = 0; round < 1000; round += 1) {
      deque.push(round);
      deque.take();
    }
    expect(deque.length).toBe(0);
    expect(deque.at(0)).toBeUndefined();
  });
});

describe("Heap", () => {
  it("gives the smallest first", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = new Heap<number>((number) => number);
        for (const number of numbers) heap.push(number);
        const taken = Array.from(numbers, () => heap.take());
        expect(taken).toEqual([...numbers].sort((left, right) => left - right));
        expect(heap.take()).toBeUndefined();
      }),
    );
  });
});

describe("Timers", () => {
  it("fires each timer once, at the time it was last set to", () => {
    const step = fc.oneof(
      fc.record({ timer: fc.nat(4), due: fc.nat(100) }),
      fc.record({ timer: fc.nat(4), due: fc.constant(undefined) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const timers = new Timers();
        const fired: { timer: number; at: number }[] = [];
        const all = [0, 1, 2, 3, 4].map((timer) => timers.create((at) => fired.push({ timer, at })));
        const model = new Map<number, number>();
        for (const { timer, due } of steps) {
          if (due === undefined) {
            all[timer]?.off();
            model.delete(timer);
          } else {
            all[timer]?.set(due);
            model.set(timer, due);
          }
          expect(timers.next()).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
        }
        for (let now = 0; now <= 100; now += 1) timers.advance(now);
        const expected = [...model].map(([timer, at]) => ({ timer, at }));
        const byTimer = (left: { timer: number }, right: { timer: number }): number => left.timer - right.timer;
        expect(fired.sort(byTimer)).toEqual(expected.sort(byTimer));
        expect(timers.next()).toBeUndefined();
      }),
    );
  });

  it("fires a timer that a firing one sets for now", () => {
    const timers = new Timers();
    const fired: string[] = [];
    const second = timers.create(() => fired.push("second"));
    const first = timers.create((now) => {
      fired.push("first");
      second.set(now);
    });
    first.set(5);
    timers.advance(5);
    expect(fired).toEqual(["first", "second"]);
  });
});
