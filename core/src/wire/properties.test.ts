import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError, UsageError } from "./errors.ts";
import { Output } from "./output.ts";
import {
  type BasicProperties,
  decodeProperties,
  EncodedProperties,
  encodeProperties,
  writeProperties,
} from "./properties.ts";
import { ShortStrings } from "./short-strings.ts";
import { properties, receivedProperties } from "./testing/arbitraries.ts";
import { fromHex, taken, toHex } from "./testing/bytes.ts";

/** Each property by itself: its flag and its value, from the list in section 1.8 of the specification's XML. */
const single: readonly (readonly [BasicProperties, string])[] = [
  [{ contentType: "a" }, "8000 0161"],
  [{ contentEncoding: "b" }, "4000 0162"],
  [{ headers: { k: null } }, "2000 00000003 016b56"],
  [{ deliveryMode: 2 }, "1000 02"],
  [{ priority: 9 }, "0800 09"],
  [{ correlationId: "c" }, "0400 0163"],
  [{ replyTo: "d" }, "0200 0164"],
  [{ expiration: "60000" }, "0100 053630303030"],
  [{ messageId: "e" }, "0080 0165"],
  [{ timestamp: new Date(1_700_000_000_999) }, "0040 000000006553f100"],
  [{ type: "f" }, "0020 0166"],
  [{ userId: "g" }, "0010 0167"],
  [{ appId: "h" }, "0008 0168"],
  [{ clusterId: "i" }, "0004 0169"],
];

describe("properties", () => {
  it.each(single)("encodes %o", (sent, hex) => {
    const { bytes } = encodeProperties(sent);
    expect(toHex(bytes)).toBe(hex.replace(/ /g, ""));
    const [name] = Object.keys(sent);
    expect(Object.keys(decodeProperties(bytes))).toEqual([name]);
  });

  it("follow in the order of their flags", () => {
    const all = Object.assign({}, ...single.map(([sent]) => sent).reverse()) as BasicProperties;
    const hex = single.map(([, value]) => value.slice(5).replace(/ /g, "")).join("");
    expect(toHex(encodeProperties(all).bytes)).toBe(`fffc${hex}`);
    expect(Object.keys(decodeProperties(encodeProperties(all).bytes))).toEqual(
      single.map(([sent]) => Object.keys(sent)[0]),
    );
  });

  it("tell absent from empty", () => {
    expect(toHex(encodeProperties({}).bytes)).toBe("0000");
    expect(toHex(encodeProperties({ contentType: undefined, headers: undefined }).bytes)).toBe("0000");
    expect(decodeProperties(fromHex("0000"))).toStrictEqual({});
    const empty = { contentType: "", headers: {}, deliveryMode: 0, expiration: "" };
    expect(toHex(encodeProperties(empty).bytes)).toBe("b100" + "00" + "00000000" + "00" + "00");
    expect(decodeProperties(encodeProperties(empty).bytes)).toStrictEqual(empty);
  });

  it("arrive as they were sent, with and without a cache of strings", () => {
    fc.assert(
      fc.property(properties, (sent) => {
        const { bytes } = encodeProperties(sent);
        expect(decodeProperties(bytes)).toStrictEqual(receivedProperties(sent));
        const placed = Uint8Array.from([9, ...bytes, 9]);
        const strings = new ShortStrings();
        expect(decodeProperties(placed, 1, placed.length - 1, strings)).toStrictEqual(receivedProperties(sent));
      }),
    );
  });

  it("keep nothing of the bytes they came from", () => {
    const { bytes } = encodeProperties({ contentType: "text/plain", headers: { a: Uint8Array.of(1) } });
    const decoded = decodeProperties(bytes);
    bytes.fill(0x7a);
    expect(decoded).toStrictEqual({ contentType: "text/plain", headers: { a: Uint8Array.of(1) } });
  });

  it("are read with the unused flags set, as RabbitMQ reads them", () => {
    expect(decodeProperties(fromHex("8003 0161"))).toStrictEqual({ contentType: "a" });
  });

  it("are read leniently where a publisher sent what is not UTF-8", () => {
    expect(decodeProperties(fromHex("0400 02 61ff"))).toStrictEqual({ correlationId: "a\ufffd" });
  });

  it("have an invalid Date for a time beyond Date", () => {
    expect(decodeProperties(fromHex("0040 ffffffffffffffff")).timestamp?.getTime()).toBeNaN();
  });

  it.each([
    "",
    "80",
    "8000",
    "8000 05 61",
    "2000 00000001",
    "1000",
    "0040 00000000",
    "0000 00",
    "8000 0161 61",
    "2000 00000003 016155",
  ])("are refused as %j", (hex) => {
    const decode = (): unknown => decodeProperties(fromHex(hex));
    expect(decode).toThrow(ProtocolError);
    expect(decode).toThrow(expect.objectContaining({ code: "SYNTAX_ERROR" }) as Error);
  });

  it("are whole or refused: no cut is taken for something else", () => {
    fc.assert(
      fc.property(properties, fc.nat(), (sent, cut) => {
        const { bytes } = encodeProperties(sent);
        expect(() => decodeProperties(bytes, 0, cut % bytes.length)).toThrow(ProtocolError);
      }),
    );
  });

  const refused: readonly (readonly [string, unknown])[] = [
    ["contentType", 1],
    ["contentEncoding", null],
    ["headers", null],
    ["headers", "x"],
    ["headers", { a: () => 1 }],
    ["deliveryMode", 256],
    ["deliveryMode", "2"],
    ["deliveryMode", 1.5],
    ["priority", -1],
    ["correlationId", "x".repeat(256)],
    ["replyTo", "é".repeat(128)],
    ["expiration", 60_000],
    ["messageId", "\ud800"],
    ["timestamp", new Date(Number.NaN)],
    ["timestamp", new Date(-1)],
    ["timestamp", 1_700_000_000],
    ["type", {}],
    ["userId", Uint8Array.of(1)],
    ["appId", true],
    ["clusterId", []],
  ];

  it.each(refused)("are refused with a bad %s: %o", (name, value) => {
    const encode = (): unknown => encodeProperties({ [name]: value } as BasicProperties);
    expect(encode).toThrow(UsageError);
    expect(encode).toThrow(new RegExp(`^property ${name}`));
  });

  it("can be forwarded as they are", () => {
    const bytes = fromHex("8000 0161");
    expect(new EncodedProperties(bytes).bytes).toBe(bytes);
  });

  it("stop at the size that they may have", () => {
    const out = new Output();
    out.octet(1);
    expect(() => writeProperties(out, { headers: { a: "x".repeat(100) } }, 50)).toThrow(/^property headers is larger/);
    expect(taken(out).length).toBeLessThan(50);
  });
});
