import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxTableDepth } from "./constants.ts";
import { ProtocolError, UsageError } from "./errors.ts";
import { Decimal, type FieldTable, type FieldValue, TypedValue, typedValueTags } from "./field-values.ts";
import { decodeTable, encodeTable } from "./table.ts";
import { copied } from "./table-writer.ts";
import { fieldTable, receivedTable } from "./testing/arbitraries.ts";
import { fromHex, toHex } from "./testing/bytes.ts";

/** A table with one entry, `k`. */
function entry(value: FieldValue): string {
  return toHex(encodeTable({ k: value }).subarray(4 + 2));
}

/** A value behind the name `k`. */
function decoded(hex: string): FieldValue | undefined {
  const bytes = fromHex(`016b${hex}`);
  return decodeTable(fromHex(bytes.length.toString(16).padStart(8, "0") + toHex(bytes)))["k"];
}

const long = (value: number): string => value.toString(16).padStart(8, "0");

describe("sending a table", () => {
  const sent: readonly (readonly [string, FieldValue, string])[] = [
    ["a string as S", "hé", "53 00000003 68c3a9"],
    ["true as t", true, "74 01"],
    ["false as t", false, "74 00"],
    ["a small integer as I", 1, "49 00000001"],
    ["a negative integer as I", -2, "49 fffffffe"],
    ["the greatest 32-bit integer as I", 2 ** 31 - 1, "49 7fffffff"],
    ["the least 32-bit integer as I", -(2 ** 31), "49 80000000"],
    ["a greater integer as l", 2 ** 31, "6c 0000000080000000"],
    ["a lesser integer as l", -(2 ** 31) - 1, "6c ffffffff7fffffff"],
    ["an integer that is not safe as l", 2 ** 62, "6c 4000000000000000"],
    ["the least 64-bit integer as l", -(2 ** 63), "6c 8000000000000000"],
    ["minus zero as zero", -0, "49 00000000"],
    ["a bigint as l", 5n, "6c 0000000000000005"],
    ["a negative bigint as l", -1n, "6c ffffffffffffffff"],
    ["another number as d", 1.5, "64 3ff8000000000000"],
    ["a Date as T in whole seconds", new Date(1_999), "54 0000000000000001"],
    ["bytes as x", Uint8Array.of(1, 255), "78 00000002 01ff"],
    ["a Buffer as x", Buffer.from([3]), "78 00000001 03"],
    ["an array as A", ["a", null], "41 00000007 53 00000001 61 56"],
    ["an object as F", { a: true }, "46 00000004 0161 7401"],
    ["null as V", null, "56"],
    ["a Decimal as D", new Decimal(2, 4_000_000_000), "44 02 ee6b2800"],
    ["an int8", new TypedValue("int8", -1), "62 ff"],
    ["a uint8", new TypedValue("uint8", 255n), "42 ff"],
    ["an int16", new TypedValue("int16", -2), "73 fffe"],
    ["a uint16", new TypedValue("uint16", 65_535), "75 ffff"],
    ["an int32", new TypedValue("int32", -2), "49 fffffffe"],
    ["a uint32", new TypedValue("uint32", 2 ** 32 - 1), "69 ffffffff"],
    ["an int64", new TypedValue("int64", 10), "6c 000000000000000a"],
    ["a float", new TypedValue("float", 0.5), "66 3f000000"],
    ["an integral double", new TypedValue("double", 1), "64 3ff0000000000000"],
    ["a double from a bigint", new TypedValue("double", 2n), "64 4000000000000000"],
    ["a timestamp", new TypedValue("timestamp", 2n ** 64n - 1n), "54 ffffffffffffffff"],
    ["a longstr of bytes", new TypedValue("longstr", Uint8Array.of(0xff)), "53 00000001 ff"],
    ["bytes of a string", new TypedValue("bytes", "é"), "78 00000002 c3a9"],
  ];

  it.each(sent)("sends %s", (_, value, hex) => {
    expect(entry(value)).toBe(hex.replace(/ /g, ""));
  });

  it("covers every field type", () => {
    const tags = new Set(sent.map(([, , hex]) => String.fromCharCode(Number.parseInt(hex.slice(0, 2), 16))));
    for (const tag of [..."tbBsuIilfdDSxATFV"]) expect(tags).toContain(tag);
    for (const tag of Object.values(typedValueTags)) expect(tags).toContain(tag);
  });

  it("leaves out what is undefined, and keeps the order", () => {
    expect(toHex(encodeTable({ b: true, a: undefined, c: null }))).toBe("00000007016274010163" + "56");
  });

  it("sends objects without a prototype, and those of other realms", async () => {
    const { runInNewContext } = await import("node:vm");
    const bare = Object.assign(Object.create(null) as object, { a: true }) as FieldTable;
    expect(entry(bare)).toBe("4600000004" + "01617401");
    const foreign = runInNewContext("({ a: [1], b: new Date(2000), c: Uint8Array.of(7) })") as FieldTable;
    expect(decodeTable(encodeTable(foreign))).toEqual({ a: [1], b: new Date(2000), c: Uint8Array.of(7) });
  });

  const refused: readonly (readonly [string, unknown])[] = [
    ["an integer beyond 64 bits", 2 ** 63],
    ["NaN, which RabbitMQ cannot read", Number.NaN],
    ["infinity, which RabbitMQ cannot read", Number.NEGATIVE_INFINITY],
    ["NaN as a double", new TypedValue("double", Number.NaN)],
    ["infinity as a float", new TypedValue("float", Number.POSITIVE_INFINITY)],
    ["a huge integral number", 1e300],
    ["a bigint beyond 64 bits", 2n ** 63n],
    ["a bigint below 64 bits", -(2n ** 63n) - 1n],
    ["an invalid Date", new Date(Number.NaN)],
    ["a Date before 1970", new Date(-1)],
    ["a lone surrogate", "\ud800"],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a Map", new Map([["a", 1]])],
    ["an instance of a class", new (class Point {})()],
    ["an Error", new Error("e")],
    ["other typed arrays", new Uint16Array(2)],
    ["undefined in an array", [undefined]],
    ["a hole in an array", new Array(1)],
    ["a scale beyond 255", new Decimal(256, 0)],
    ["a negative scale", new Decimal(-1, 0)],
    ["a negative unscaled value", new Decimal(0, -1)],
    ["a broken unscaled value", new Decimal(0, 0.5)],
    ["an int8 beyond its range", new TypedValue("int8", 128)],
    ["a uint32 below its range", new TypedValue("uint32", -1)],
    ["an int64 beyond its range", new TypedValue("int64", 2n ** 63n)],
    ["a timestamp before 1970", new TypedValue("timestamp", -1)],
    ["a broken int32", new TypedValue("int32", 1.5)],
    ["an int32 of a string", new TypedValue("int32", "1")],
    ["a float beyond its range", new TypedValue("float", 1e300)],
    ["a double of a bigint beyond its range", new TypedValue("double", 10n ** 400n)],
    ["a double of a string", new TypedValue("double", "1")],
    ["a longstr of a number", new TypedValue("longstr", 1)],
    ["an unknown type", new TypedValue("constructor" as "int8", 1)],
  ];

  it.each(refused)("refuses %s, and names the entry", (_, value) => {
    for (const table of [{ secret: value }, { list: [value], secret: value }, { deep: { secret: value } }]) {
      expect(() => encodeTable(table as FieldTable)).toThrow(UsageError);
    }
    expect(() => encodeTable({ secret: value } as FieldTable)).toThrow(/^table: "secret" /);
  });

  it.each([[null], [undefined], ["text"], [[1]], [new Map()], [new Date()], [Uint8Array.of(1)]])(
    "refuses %o as a table",
    (value) => {
      expect(() => encodeTable(value as unknown as FieldTable)).toThrow(UsageError);
    },
  );

  it("refuses a name that is too long or not well-formed", () => {
    expect(toHex(encodeTable({ ["n".repeat(255)]: null })).length).toBe(2 * (4 + 1 + 255 + 1));
    expect(() => encodeTable({ ["n".repeat(256)]: null })).toThrow(UsageError);
    expect(() => encodeTable({ ["é".repeat(128)]: null })).toThrow(UsageError);
    expect(() => encodeTable({ "\ud800": null })).toThrow(UsageError);
  });
});

describe("receiving a table", () => {
  const values: readonly (readonly [string, string, FieldValue])[] = [
    ["t, any octet but 0", "74 02", true],
    ["b", "62 80", -128],
    ["B", "42 ff", 255],
    ["s as a 16-bit integer", "73 8000", -32_768],
    ["u", "75 ffff", 65_535],
    ["I", "49 80000000", -2_147_483_648],
    ["i", "69 ffffffff", 4_294_967_295],
    ["l", "6c ffffffffffffffff", -1],
    ["L as signed", "4c ffffffffffffffff", -1],
    ["l at 2^53 - 1", "6c 001fffffffffffff", Number.MAX_SAFE_INTEGER],
    ["l at 2^53", "6c 0020000000000000", 2n ** 53n],
    ["l at -(2^53 - 1)", "6c ffe0000000000001", Number.MIN_SAFE_INTEGER],
    ["l at -2^53", "6c ffe0000000000000", -(2n ** 53n)],
    ["l at -2^63", "6c 8000000000000000", -(2n ** 63n)],
    ["f", "66 3f000000", 0.5],
    ["d", "64 3ff8000000000000", 1.5],
    ["D as unsigned", "44 01 ffffffff", new Decimal(1, 4_294_967_295)],
    ["S", "53 00000002 c3a9", "é"],
    ["S that is not UTF-8", "53 00000002 ffc3", Uint8Array.of(0xff, 0xc3)],
    ["x", "78 00000001 41", Uint8Array.of(0x41)],
    ["A of mixed types", "41 00000004 56 7401 56", [null, true, null]],
    ["T", "54 0000000000000001", new Date(1000)],
    ["T at the end of Date", "54 000007dba8218000", new Date(8_640_000_000_000_000)],
    ["T beyond Date", "54 000007dba8218001", new TypedValue("timestamp", 8_640_000_000_001n)],
    ["T beyond 2^53", "54 ffffffffffffffff", new TypedValue("timestamp", 2n ** 64n - 1n)],
    ["F", "46 00000003 016156", { a: null }],
    ["V", "56", null],
  ];

  it.each(values)("reads %s", (_, hex, value) => {
    expect(decoded(hex)).toStrictEqual(value);
  });

  it("lets the last of equal names win", () => {
    expect(decodeTable(fromHex("00000008 0161 7400 0161 7401"))).toEqual({ a: true });
  });

  it("copies bytes out of the chunk", () => {
    const bytes = fromHex("00000010 016178 00000001 07 016253 00000001 ff");
    const table = decodeTable(bytes);
    bytes.fill(0x20);
    expect(table).toEqual({ a: Uint8Array.of(7), b: Uint8Array.of(0xff) });
  });

  it("takes __proto__ for a name like any other", () => {
    const bytes = encodeTable(JSON.parse('{ "__proto__": { "polluted": true }, "constructor": 1 }') as FieldTable);
    const table = decodeTable(bytes);
    expect(Object.keys(table)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(table)).toBe(Object.prototype);
    expect((table as { polluted?: boolean }).polluted).toBeUndefined();
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(toHex(encodeTable(table))).toBe(toHex(bytes));
  });

  const malformed: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["half a length", "0000"],
    ["a length beyond the end", "00000001"],
    ["bytes behind the end", "00000000 00"],
    ["a name beyond the end", "00000003 056156"],
    ["a name without a value", "00000002 0161"],
    ["a value beyond the table", "00000004 0161 49 00 000000"],
    ["a long string beyond the table", "00000008 0161 53 00000002 61 61"],
    ["a huge announced string", "00000007 0161 53 ffffffff"],
    ["a nested table beyond its parent", "00000007 0161 46 00000001 00"],
    ["an array beyond its parent", "00000007 0161 41 00000001 56"],
    ["an array that ends in a value", "00000009 0161 41 00000002 4900"],
    ["the unknown type U", "00000005 0161 55 0001"],
    ["the unknown type 0", "00000003 0161 00"],
  ];

  it.each(malformed)("refuses %s", (_, hex) => {
    const bytes = fromHex(hex);
    expect(() => decodeTable(bytes)).toThrow(ProtocolError);
    expect(() => decodeTable(bytes)).toThrow(expect.objectContaining({ code: "SYNTAX_ERROR" }) as Error);
  });
});

describe("the depth of tables", () => {
  /** `depth` tables inside each other. */
  function tables(depth: number): FieldTable {
    let table: FieldTable = {};
    for (let i = 1; i < depth; i++) table = { t: table };
    return table;
  }

  /** `depth` levels in all: a table, and arrays in it. */
  function arrays(depth: number): FieldTable {
    let array: FieldValue[] = [];
    for (let i = 2; i < depth; i++) array = [array];
    return { t: array };
  }

  /** The same, encoded by hand. */
  function encodedArrays(depth: number): Uint8Array {
    let hex = "4100000000";
    for (let i = 2; i < depth; i++) hex = `41${long(hex.length / 2)}${hex}`;
    return fromHex(`${long(2 + hex.length / 2)}0174${hex}`);
  }

  it("has the same limit in both directions", () => {
    expect(decodeTable(encodeTable(tables(maxTableDepth)))).toEqual(tables(maxTableDepth));
    expect(decodeTable(encodeTable(arrays(maxTableDepth)))).toEqual(arrays(maxTableDepth));
    expect(() => encodeTable(tables(maxTableDepth + 1))).toThrow(/deeper than 128/);
    expect(() => encodeTable(arrays(maxTableDepth + 1))).toThrow(UsageError);
    expect(toHex(encodedArrays(maxTableDepth))).toBe(toHex(encodeTable(arrays(maxTableDepth))));
    expect(() => decodeTable(encodedArrays(maxTableDepth + 1))).toThrow(/deeper than 128/);
  });

  it("does not exhaust the stack on 20 thousand levels, which fit into one frame", () => {
    expect(() => decodeTable(encodedArrays(20_000))).toThrow(ProtocolError);
  });

  it("refuses values that contain themselves", () => {
    const table: Record<string, FieldValue> = {};
    table["self"] = table;
    expect(() => encodeTable(table)).toThrow(/contains itself/);
    const array: FieldValue[] = [];
    array.push(array, array);
    expect(() => encodeTable({ array })).toThrow(/contains itself/);
  });

  it("refuses values that are small in memory and without end on the wire", () => {
    let shared: FieldValue = "x".repeat(1000);
    for (let i = 0; i < 60; i++) shared = [shared, shared];
    expect(() => encodeTable({ shared } as FieldTable)).toThrow(/larger than a frame/);
  });
});

describe("a table on its way", () => {
  it("arrives as it was sent", () => {
    fc.assert(
      fc.property(fieldTable, (table) => {
        expect(decodeTable(encodeTable(table))).toStrictEqual(receivedTable(table));
      }),
    );
  });

  it("is whole or refused: no cut, and no other byte, breaks anything", () => {
    fc.assert(
      fc.property(fieldTable, fc.nat(), fc.nat(255), (table, position, octet) => {
        const bytes = encodeTable(table);
        const at = position % bytes.length;
        expect(() => decodeTable(bytes.subarray(0, at))).toThrow(ProtocolError);
        const changed = bytes.slice();
        changed[at] = octet;
        try {
          decodeTable(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

describe("a copy of a table", () => {
  it("shares neither tables nor arrays with it, and what does not change it does", () => {
    const date = new Date(0);
    const bytes = new Uint8Array([1]);
    const table = { a: [1, { b: [2n] }], c: { d: null, e: undefined, date }, bytes };
    const copy = copied(table);
    expect(copy).toEqual(table);
    expect(copy.c).not.toBe(table.c);
    expect(copy.a).not.toBe(table.a);
    expect(copy.a[1]).not.toBe(table.a[1]);
    expect(copy.c.date).toBe(date);
    expect(copy.bytes).toBe(bytes);
  });

  it("is made of every kind of table that is sent: without a prototype, with an entry named constructor", () => {
    const bare = Object.assign(Object.create(null), { a: ["as it was"] }) as { a: string[] };
    const named = { constructor: "c", b: ["as it was"] };
    const table = { bare, named };
    const copy = copied(table);
    bare.a[0] = "changed";
    named.b[0] = "changed";
    expect(copy).toEqual({ bare: { a: ["as it was"] }, named: { constructor: "c", b: ["as it was"] } });
  });

  it("is refused where the table contains itself", () => {
    const table: Record<string, unknown> = {};
    table["a"] = [table, table];
    expect(() => copied(table)).toThrow("contains itself");
  });
});
