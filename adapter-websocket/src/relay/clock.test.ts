import { describe, expect, it } from "vitest";
import { QuietTimer, systemClock } from "./clock.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { TokenBucket } from "./token-bucket.ts";

describe("the quiet timer", () => {
  it("fires once, so long after the last touch", () => {
    const clock = new ManualClock();
    let fired = 0;
    const timer = new QuietTimer(clock, 100, () => {
      fired += 1;
    });
    clock.advance(99);
    timer.touch();
    clock.advance(99);
    expect(fired).toBe(0);
    clock.advance(1);
    expect(fired).toBe(1);
    clock.advance(1_000);
    expect(fired).toBe(1);
    timer.restart();
    clock.advance(100);
    expect(fired).toBe(2);
  });

  it("does nothing when it is stopped, or was given no time", () => {
    const clock = new ManualClock();
    const fail = (): never => {
      throw new Error("fired");
    };
    new QuietTimer(clock, 100, fail).stop();
    new QuietTimer(clock, 0, fail).restart();
    expect(clock.pending).toBe(0);
    clock.advance(1_000);
  });
});

describe("the clock of the process", () => {
  it("does not take a very long time for a short one", async () => {
    const fired: string[] = [];
    const cancel = systemClock.setTimer(2 ** 40, () => fired.push("late"));
    await new Promise<void>((resolve) => void systemClock.setTimer(5, resolve));
    cancel();
    cancel();
    expect(fired).toEqual([]);
  });
});

describe("the token bucket", () => {
  it("says how long to wait for what was taken too much", () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket(clock, 1_000);
    expect(bucket.take(1_000)).toBe(0);
    expect(bucket.take(500)).toBe(500);
    clock.advance(500);
    expect(bucket.take(0)).toBe(0);
    expect(bucket.take(1)).toBe(1);
    expect(new TokenBucket(clock, 0).take(1e9)).toBe(0);
  });
});
