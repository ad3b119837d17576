import { describe, expect, it } from "vitest";
import { RateMeter } from "./rates.ts";

describe("rates", () => {
  it("are growth by time", () => {
    const meter = new RateMeter();
    expect(meter.note(10, 1_000)).toBe(0);
    expect(meter.note(20, 1_500)).toBe(20);
    expect(meter.note(20, 2_500)).toBe(0);
    expect(meter.note(30, 2_500)).toBe(0);
    expect(meter.highest).toBe(20);
  });

  it("are drawn within the box, the newest at the right", () => {
    const meter = new RateMeter();
    expect(meter.path(600, 120, 1)).toBe("");
    for (const [index, count] of [0, 50, 150, 150].entries()) meter.note(count, index * 1_000);
    expect(meter.path(600, 120, meter.highest)).toBe("M589.9 60.0L595.0 2.0L600.0 118.0");
    for (let index = 4; index < 1_000; index += 1) meter.note(150, index * 1_000);
    expect(meter.path(600, 120, 0).split("L")).toHaveLength(120);
    expect(meter.path(600, 120, 0).startsWith("M0.0 118.0L")).toBe(true);
  });
});
