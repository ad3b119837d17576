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

  it("stops while suspended, and gives the whole time again afterwards", () => {
    const { deadlines, first } = withOne();
    deadlines.suspend(true, 50);
    expect(deadlines.deadline(1000)).toBeUndefined();
    expect(deadlines.takeLate(1000)).toBeUndefined();
    deadlines.suspend(false, 1000);
    expect(deadlines.deadline(1000)).toBe(1100);
    expect(deadlines.takeLate(1100)).toBe(first);
  });

  it("gives no more time for being told twice that it is not suspended", () => {
    const { deadlines } = withOne();
    deadlines.suspend(false, 50);
    expect(deadlines.deadline(50)).toBe(100);
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
