import { describe, expect, it } from "vitest";
import { defaultLimits, withLimits } from "./limits.ts";

describe("withLimits", () => {
  it("is the defaults where nothing is named", () => {
    expect(withLimits()).toEqual(defaultLimits);
    expect(withLimits({ maxBodySize: undefined as never })).toEqual(defaultLimits);
  });

  it("takes a caller's limits over the defaults", () => {
    expect(withLimits({ maxBodySize: 5, maxWaitingRequests: 1 })).toEqual({
      ...defaultLimits,
      maxBodySize: 5,
      maxWaitingRequests: 1,
    });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5"])("refuses a limit of %s", (value) => {
    expect(() => withLimits({ maxOutput: value as number })).toThrow("limits.maxOutput is a positive integer");
  });

  it("has the high-water mark at the limit of output, where that is lower", () => {
    expect(withLimits({ maxOutput: 1000 }).outputHighWater).toBe(1000);
  });
});
