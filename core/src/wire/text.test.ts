import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "./errors.ts";
import { decodeStrictText, decodeText, encodeText, maxBytesPerUnit, notWellFormed, writeText } from "./text.ts";

/** Text around the lengths at which another way of encoding takes over. */
const anyText = fc.oneof(
  fc.string({ unit: "grapheme-ascii", maxLength: 80 }),
  fc.string({ unit: "grapheme", maxLength: 80 }),
  fc.string({ unit: "binary", maxLength: 80 }),
);

const lone = ["\ud800", "\udfff", "a\ud83d", "\udc00\ud800", `${"x".repeat(100)}\ud800`];

function write(text: string, position = 3): { end: number; buffer: Uint8Array } {
  const buffer = new Uint8Array(position + text.length * maxBytesPerUnit);
  return { end: writeText(buffer, position, text), buffer };
}

describe("writing UTF-8", () => {
  it("writes what a Buffer writes", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { end, buffer } = write(text);
        expect(Buffer.from(buffer.subarray(3, end)).equals(Buffer.from(text, "utf8"))).toBe(true);
      }),
    );
  });

  it.each(lone)("refuses the lone surrogate in %j", (text) => {
    expect(write(text).end).toBe(notWellFormed);
    expect(() => encodeText(text)).toThrow(UsageError);
  });

  it("does not show a text that it refuses", () => {
    expect(() => encodeText("secret\ud800")).toThrow(/^((?!secret).)*$/);
  });
});

describe("reading UTF-8", () => {
  it("reads what was written, strictly and leniently", () => {
    fc.assert(
      fc.property(anyText, fc.nat(9), (text, before) => {
        const bytes = Buffer.concat([Buffer.alloc(before, 0xff), Buffer.from(text, "utf8"), Buffer.alloc(1, 0xff)]);
        const end = bytes.length - 1;
        expect(decodeText(bytes, before, end)).toBe(text);
        expect(decodeStrictText(bytes, before, end)).toBe(text);
      }),
    );
  });

  it("reads any bytes: leniently with U+FFFD, strictly not at all", () => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const expected = decoder.decode(bytes);
        const wellFormed = Buffer.from(expected, "utf8").equals(bytes);
        expect(decodeText(bytes, 0, bytes.length)).toBe(expected);
        expect(decodeStrictText(bytes, 0, bytes.length)).toBe(wellFormed ? expected : undefined);
      }),
    );
  });

  it("keeps a byte order mark", () => {
    const bytes = encodeText("\ufeffx");
    expect(decodeText(bytes, 0, bytes.length)).toBe("\ufeffx");
    expect(decodeStrictText(bytes, 0, bytes.length)).toBe("\ufeffx");
  });
});
