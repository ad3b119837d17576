import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../wire/errors.ts";
import type { ConnectionConfig } from "./config.ts";
import { ConnectionError } from "./errors.ts";
import { plain } from "./sasl.ts";
import { checkProposals, negotiate, type Tuning } from "./tuning.ts";

const mechanisms = [plain("guest", "secret")];
const proposal = { channelMax: 2047, frameMax: 131_072, heartbeat: 60 };

function tuned(ours: Partial<ConnectionConfig>, theirs: Partial<typeof proposal> = {}): Tuning {
  return negotiate({ mechanisms, ...ours }, { ...proposal, ...theirs });
}

describe("negotiate", () => {
  it.each([
    // ours, theirs, result
    [undefined, 2047, 2047],
    [undefined, 65_535, 2047],
    [undefined, 0, 2047],
    [0, 2047, 2047],
    [0, 0, 65_535],
    [10, 2047, 10],
    [2047, 10, 10],
    [10, 0, 10],
    [65_535, 65_535, 65_535],
  ])("channelMax %s of ours and %s of theirs is %s", (ours, theirs, result) => {
    expect(tuned({ channelMax: ours }, { channelMax: theirs }).channelMax).toBe(result);
  });

  it.each([
    [undefined, 131_072, 131_072],
    [undefined, 1_000_000, 131_072],
    [undefined, 0, 131_072],
    [0, 131_072, 131_072],
    [0, 0, 0],
    [4096, 131_072, 4096],
    [131_072, 4096, 4096],
    [8192, 0, 8192],
    [0xffff_ffff, 0xffff_ffff, 0xffff_ffff],
  ])("frameMax %s of ours and %s of theirs is %s", (ours, theirs, result) => {
    expect(tuned({ frameMax: ours }, { frameMax: theirs }).frameMax).toBe(result);
  });

  it.each([
    [undefined, 60, 60],
    [undefined, 0, 0],
    [0, 60, 0],
    [10, 60, 10],
    [600, 60, 600],
    [5, 0, 5],
    [(proposed: number) => proposed / 2, 60, 30],
    [() => 0, 60, 0],
  ])("heartbeat %s of ours and %s of theirs is %s", (ours, theirs, result) => {
    expect(tuned({ heartbeat: ours }, { heartbeat: theirs }).heartbeat).toBe(result);
  });

  it("refuses a frame-max below the protocol's minimum", () => {
    expect(() => tuned({}, { frameMax: 4095 })).toThrow(
      expect.objectContaining({ code: "TUNING_FAILED", phase: "tune", message: expect.stringContaining("4095") }),
    );
  });

  it.each([
    [
      "throws",
      () => {
        throw new RangeError("no");
      },
    ],
    ["gives no integer", () => 1.5],
    ["gives a negative number", () => -1],
    ["gives more than a short", () => 65_536],
    ["gives nothing", () => undefined as unknown as number],
  ])("fails when the heartbeat function %s", (_, heartbeat) => {
    expect(() => tuned({ heartbeat })).toThrow(ConnectionError);
    expect(() => tuned({ heartbeat })).toThrow(
      expect.objectContaining({ code: "TUNING_FAILED", phase: "tune", cause: expect.any(Error) }),
    );
  });

  it("never answers 0 to a limit, and never more than the server's", () => {
    const short = fc.integer({ min: 0, max: 0xffff });
    const frame = fc.oneof(fc.constant(0), fc.integer({ min: 4096, max: 0xffff_ffff }));
    fc.assert(
      fc.property(short, frame, short, frame, (ourChannels, ourFrame, theirChannels, theirFrame) => {
        const result = tuned(
          { channelMax: ourChannels, frameMax: ourFrame },
          { channelMax: theirChannels, frameMax: theirFrame },
        );
        expect(result.channelMax).toBeGreaterThan(0);
        if (theirChannels > 0) expect(result.channelMax).toBeLessThanOrEqual(theirChannels);
        if (ourChannels > 0) expect(result.channelMax).toBeLessThanOrEqual(ourChannels);
        expect(result.frameMax === 0).toBe(ourFrame === 0 && theirFrame === 0);
        if (theirFrame > 0) expect(result.frameMax).toBeLessThanOrEqual(theirFrame);
        if (ourFrame > 0) expect(result.frameMax).toBeLessThanOrEqual(ourFrame);
      }),
    );
  });
});

describe("checkProposals", () => {
  it.each([
    { channelMax: -1 },
    { channelMax: 65_536 },
    { channelMax: 1.5 },
    { frameMax: 4095 },
    { frameMax: -1 },
    { frameMax: 2 ** 32 },
    { heartbeat: -1 },
    { heartbeat: 65_536 },
    { heartbeat: 0.5 },
    { heartbeat: Number.NaN },
    { channelMax: "5" as unknown as number },
  ])("refuses %o", (proposals) => {
    expect(() => checkProposals({ mechanisms, ...proposals })).toThrow(UsageError);
  });

  it.each([
    {},
    { channelMax: 0, frameMax: 0, heartbeat: 0 },
    { channelMax: 1, frameMax: 4096, heartbeat: 1 },
    { channelMax: 65_535, frameMax: 0xffff_ffff, heartbeat: 65_535 },
    { heartbeat: (proposed: number) => proposed },
  ])("takes %o", (proposals) => {
    expect(() => checkProposals({ mechanisms, ...proposals })).not.toThrow();
  });
});
