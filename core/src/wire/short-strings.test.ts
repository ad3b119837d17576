import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShortStrings, shortStringCacheSlots } from "./short-strings.ts";
import { decodeText } from "./text.ts";

/** Few different bytes and lengths, so that strings repeat and slots collide. */
const candidate = fc.oneof(
  fc.uint8Array({ maxLength: 255 }),
  fc.array(fc.constantFrom(0x61, 0x62, 0xc3, 0xa9, 0xff), { maxLength: 12 }).map((bytes) => Uint8Array.from(bytes)),
  fc.nat(2000).map((number) => new TextEncoder().encode(`orders.region.${number}.created`)),
);

describe("the cache of short strings", () => {
  it("gives what decoding gives, whatever was asked before", () => {
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 400 }), (candidates) => {
        const strings = new ShortStrings();
        for (const bytes of candidates) {
          const placed = Uint8Array.from([1, ...bytes, 2]);
          expect(strings.decode(placed, 1, bytes.length)).toBe(decodeText(bytes, 0, bytes.length));
        }
      }),
      { numRuns: 50 },
    );
  });

  it("is right when more strings are in use than it keeps", () => {
    const strings = new ShortStrings();
    const texts = Array.from({ length: 4 * shortStringCacheSlots }, (_, i) => `${"k".repeat(i % 60)}${i}`);
    for (let round = 0; round < 2; round++) {
      for (const text of texts) {
        const bytes = new TextEncoder().encode(text);
        expect(strings.decode(bytes, 0, bytes.length)).toBe(text);
      }
    }
  });

  it("keeps no hold on the bytes", () => {
    const strings = new ShortStrings();
    const bytes = new TextEncoder().encode("orders");
    expect(strings.decode(bytes, 0, 6)).toBe("orders");
    bytes.fill(0x7a);
    expect(strings.decode(new TextEncoder().encode("orders"), 0, 6)).toBe("orders");
    expect(strings.decode(bytes, 0, 6)).toBe("zzzzzz");
  });
});
