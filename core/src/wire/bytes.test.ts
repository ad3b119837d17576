import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { longlong, viewOf } from "./bytes.ts";

describe("longlong", () => {
  it("is exact up to 2^53", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const view = viewOf(new Uint8Array(8));
        view.setBigUint64(0, BigInt(value));
        expect(longlong(view.getUint32(0), view.getUint32(4))).toBe(value);
      }),
    );
  });
});
