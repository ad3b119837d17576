import { describe, expect, it } from "vitest";
import { PendingRequest } from "./request.ts";
import { RequestDeadlines } from "./request-deadlines.ts";

function request(channel = 1): PendingRequest {
  return new PendingRequest("basic.qos", channel);
}

/** Deadlines of 100 ms with a request that was written at 0. */
function withOne(): { deadlines: RequestDeadlines; first: PendingRequest } {
  const deadlines = new RequestDeadlines(100);
  const first = request();
  deadlines.written(first);
  deadlines.learn(0);
  return { deadlines, first };
}

describe("RequestDeadlines", () => {
  it("runs from when the time is next known", () => {
    const deadlines = new RequestDeadlines(100);
    const late = request();
    deadlines.written(late);
    expect(deadlines.deadline(7)).toBe(7);
    expect(deadlines.takeLate(7)).toBeUndefined();
    deadlines.learn(1000);
    expect(deadlines.deadline(1000)).toBe(1100);
    expect(deadlines.takeLate(1099)).toBeUndefined();
    expect(deadlines.takeLate(1100)).toBe(late);
    expect(deadlines.takeLate(1100)).toBeUndefined();
  });

  it("keeps nothing with a timeout of 0", () => {
    const deadlines = new RequestDeadlines(0);
    deadlines.written(request());
    deadlines.learn(0);
    expect(deadlines.deadline(0)).toBeUndefined();
    expect(deadlines.size).toBe(0);
  });

  it("forgets requests that ended", () => {
    const { deadlines, first } = withOne();
    first.ended = true;
    expect(deadlines.deadline(0)).toBeUndefined();
    expect(deadlines.takeLate(1e9)).toBeUndefined();
  });

  it("stops while suspended, and goes on afterwards", () => {
    const { deadlines, first } = withOne();
    deadlines.suspend(true, 30);
    deadlines.suspend(true, 60);
    expect(deadlines.deadline(1000)).toBeUndefined();
    expect(deadlines.takeLate(1000)).toBeUndefined();
    deadlines.suspend(false, 1000);
    deadlines.suspend(false, 1050);
    expect(deadlines.deadline(1050)).toBe(1070);
    expect(deadlines.takeLate(1069)).toBeUndefined();
    expect(deadlines.takeLate(1070)).toBe(first);
  });

  it("is not put off for ever by many short suspensions", () => {
    const { deadlines, first } = withOne();
    for (let now = 0; now < 200; now += 2) {
      expect(deadlines.takeLate(now)).toBeUndefined();
      deadlines.suspend(true, now);
      deadlines.suspend(false, now + 1);
    }
    expect(deadlines.takeLate(200)).toBe(first);
  });

  it("gives a request its whole time that was made while suspended, in order", () => {
    const { deadlines, first } = withOne();
    deadlines.suspend(true, 90);
    const second = request(2);
    deadlines.written(second);
    deadlines.learn(500);
    deadlines.suspend(false, 1000);
    expect(deadlines.takeLate(1010)).toBe(first);
    expect(deadlines.deadline(1010)).toBe(1100);
    expect(deadlines.takeLate(1100)).toBe(second);
  });

  it("gives every request its whole time again when told", () => {
    const { deadlines } = withOne();
    deadlines.suspend(true, 30);
    deadlines.suspend(false, 1000);
    deadlines.restart(1000);
    expect(deadlines.deadline(1000)).toBe(1100);
  });

  it("does not keep what was answered behind one that waits", () => {
    const { deadlines, first } = withOne();
    for (let i = 0; i < 10_000; i += 1) {
      const answered = request(2);
      deadlines.written(answered);
      deadlines.learn(1);
      answered.ended = true;
    }
    expect(deadlines.size).toBeLessThan(200);
    expect(deadlines.takeLate(100)).toBe(first);
  });
});
