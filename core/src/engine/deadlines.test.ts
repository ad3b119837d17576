import { describe, expect, it } from "vitest";
import { PendingRequest } from "./request.ts";
import { Countdown, Deadlines, earliest } from "./deadlines.ts";

describe("Countdown", () => {
  it("runs from when the time is next known, and asks to be told at once until then", () => {
    const countdown = new Countdown();
    countdown.start(100);
    expect(countdown.deadline(50)).toBe(50);
    expect(countdown.isOver(1e9)).toBe(false);
    countdown.learn(1000);
    expect(countdown.deadline(1000)).toBe(1100);
    countdown.learn(1050);
    expect(countdown.isOver(1099)).toBe(false);
    expect(countdown.isOver(1100)).toBe(true);
  });

  it("never ends with a timeout of 0, or when it was stopped", () => {
    const countdown = new Countdown();
    countdown.start(0);
    countdown.learn(1);
    expect(countdown.deadline(1)).toBeUndefined();
    countdown.start(5);
    countdown.learn(1);
    countdown.stop();
    expect(countdown.deadline(1)).toBeUndefined();
    expect(countdown.isOver(1e9)).toBe(false);
  });

  it("begins anew when it is started again", () => {
    const countdown = new Countdown();
    countdown.start(10);
    countdown.learn(0);
    countdown.start(10);
    countdown.learn(9);
    expect(countdown.deadline(9)).toBe(19);
  });
});

describe("Deadlines", () => {
  it("knows the first of all", () => {
    const deadlines = new Deadlines(200);
    expect(deadlines.next(0)).toBeUndefined();
    deadlines.phase.start(100);
    deadlines.requests.written(new PendingRequest("queue.declare", 1));
    deadlines.learn(0);
    expect(deadlines.next(0)).toBe(100);
    deadlines.phase.stop();
    expect(deadlines.next(0)).toBe(200);
  });
});

describe("earliest", () => {
  it("takes undefined for never", () => {
    expect(earliest(undefined, undefined)).toBeUndefined();
    expect(earliest(1, undefined)).toBe(1);
    expect(earliest(undefined, 1)).toBe(1);
    expect(earliest(1, 2)).toBe(1);
    expect(earliest(2, 1)).toBe(1);
  });
});
