import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffDelay, defaultBackoff, lost, neverOpened, nextAttempt, opened } from "./backoff.ts";

const random = fc.double({ min: 0, max: 1, noNaN: true });

describe("backoffDelay", () => {
  it("doubles from the base to the maximum, and never goes below half", () => {
    expect([1, 2, 3, 4, 5, 6, 7].map((n) => backoffDelay(n, 1, defaultBackoff))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ]);
    expect(backoffDelay(1, 0, defaultBackoff)).toBe(500);
  });

  it("stays in bounds for any attempt and any random number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), random, (n, r) => {
        const delay = backoffDelay(n, r, defaultBackoff);
        expect(delay).toBeGreaterThanOrEqual(500);
        expect(delay).toBeLessThanOrEqual(30_000);
      }),
    );
  });
});

describe("an outage", () => {
  it("begins with a wait, also before the first attempt", () => {
    const state = lost(opened(neverOpened, 0), 60_000, defaultBackoff);
    expect(nextAttempt(state, 60_000, 1, defaultBackoff)).toMatchObject({ delay: 1_000, state: { attempts: 1 } });
  });

  it("goes on when the connection was open for less than stableAfter", () => {
    let state = lost(opened(neverOpened, 0), 60_000, defaultBackoff);
    const delays: number[] = [];
    for (let now = 60_000; delays.length < 6; ) {
      const next = nextAttempt(state, now, 1, defaultBackoff);
      if (next === undefined) throw new Error("gave up");
      delays.push(next.delay);
      now += next.delay;
      state = lost(opened(next.state, now), now + 10, defaultBackoff);
    }
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
  });

  it("is over when the connection was stable", () => {
    const first = nextAttempt(lost(opened(neverOpened, 0), 60_000, defaultBackoff), 60_000, 1, defaultBackoff);
    const stable = opened(first?.state ?? neverOpened, 61_000);
    expect(lost(stable, 71_000, defaultBackoff)).toEqual({ attempts: 0, since: 71_000, openedAt: undefined });
  });

  it("ends with maxAttempts, and with maxElapsed", () => {
    const few = { ...defaultBackoff, maxAttempts: 1 };
    const state = lost(neverOpened, 0, few);
    const once = nextAttempt(state, 0, 1, few);
    expect(once).toBeDefined();
    expect(nextAttempt(once?.state ?? state, 1_000, 1, few)).toBeUndefined();
    expect(nextAttempt(state, 5_000, 1, { ...defaultBackoff, maxElapsed: 5_000 })).toBeUndefined();
    expect(nextAttempt(state, 4_999, 1, { ...defaultBackoff, maxElapsed: 5_000 })).toBeDefined();
  });

  it("asks at most a logarithmic number of times before the wait is at its maximum", () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 40, maxLength: 40 }), (randoms) => {
        let state = lost(neverOpened, 0, defaultBackoff);
        let now = 0;
        for (const r of randoms) {
          const next = nextAttempt(state, now, r, defaultBackoff);
          if (next === undefined) throw new Error("gave up");
          now += next.delay;
          state = next.state;
        }
        // Six attempts below the maximum, and 34 of at least half of it.
        expect(now).toBeGreaterThanOrEqual(34 * 15_000);
      }),
    );
  });
});
