/** What can be sent, for property tests: generated from the table of methods itself. */

import fc from "fast-check";
import { Decimal, type FieldTable, type FieldValue, TypedValue, type TypedValueType } from "../field-values.ts";
import type { FieldType, MethodDefinition, MethodName } from "../method-types.ts";
import { methods } from "../methods.ts";
import { type BasicProperties, encodeProperties } from "../properties.ts";

export const definitions: Readonly<Record<MethodName, MethodDefinition>> = methods;
export const methodNames: readonly MethodName[] = Object.keys(methods) as MethodName[];

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Well-formed text of any script. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 60 }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 30 }) },
  { weight: 1, arbitrary: fc.constantFrom("", "\0", "\u{feff}bom", "ÿ", "\u{10ffff}", "__proto__", "x".repeat(1000)) },
);

/** Text of at most 255 bytes. */
const shortText: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: text.filter((candidate) => encoder.encode(candidate).length <= 255) },
  { weight: 1, arbitrary: fc.constantFrom("y".repeat(255), `${"é".repeat(127)}y`) },
);

export const bytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 80 });

const integerRanges = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  timestamp: [0n, 2n ** 64n - 1n],
} as const;

const typedIntegers: readonly fc.Arbitrary<TypedValue>[] = Object.entries(integerRanges).map(([type, [min, max]]) =>
  fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max)).map((value) => typedInteger(type, value)),
);

function typedInteger(type: string, value: bigint): TypedValue {
  const safe = BigInt.asIntN(53, value) === value;
  return new TypedValue(type as TypedValueType, safe ? Number(value) : value);
}

const typedValue: fc.Arbitrary<TypedValue> = fc.oneof(
  ...typedIntegers,
  fc.float({ noDefaultInfinity: true, noNaN: true }).map((value) => new TypedValue("float", value)),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => new TypedValue("double", value)),
  fc.oneof(text, bytes).map((value) => new TypedValue("longstr", value)),
  fc.oneof(text, bytes).map((value) => new TypedValue("bytes", value)),
);

/** Whole seconds from 1970 to the end of Date. */
export const date: fc.Arbitrary<Date> = fc
  .oneof(fc.integer({ min: 0, max: 4_000_000_000 }), fc.constantFrom(0, 8_640_000_000_000))
  .map((seconds) => new Date(seconds * 1000));

const scalar: fc.Arbitrary<FieldValue> = fc
  .oneof(
    text,
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.constantFrom(-0, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 63), 2 ** 62),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.boolean(),
    fc.constant(null),
    date,
    bytes,
    fc.tuple(fc.nat(255), fc.nat(0xffff_ffff)).map(([scale, unscaled]) => new Decimal(scale, unscaled)),
    typedValue,
  )
  .filter(isEncodable);

/** An integral number beyond 64 bits is an error, not a value. */
function isEncodable(value: FieldValue): boolean {
  return typeof value !== "number" || !Number.isInteger(value) || Math.abs(value) < 2 ** 63 || value === -(2 ** 63);
}

const { table } = fc.letrec<{ value: FieldValue; array: FieldValue[]; table: FieldTable }>((tie) => ({
  value: fc.oneof({ depthSize: "small", withCrossShrink: true }, scalar, tie("array"), tie("table")),
  array: fc.array(tie("value"), { maxLength: 5 }),
  table: fc
    .array(fc.tuple(shortText, fc.oneof({ weight: 8, arbitrary: tie("value") }, fc.constant(undefined))), {
      maxLength: 5,
    })
    .map((entries) => Object.fromEntries(entries) as FieldTable),
}));

export const fieldTable: fc.Arbitrary<FieldTable> = table;

/** What arrives when `sent` is sent. */
export function received(sent: FieldValue): FieldValue {
  if (typeof sent === "number") return Object.is(sent, -0) ? 0 : receivedInteger(sent);
  if (typeof sent === "bigint") return receivedInteger(sent);
  if (sent instanceof TypedValue) return receivedTyped(sent);
  if (Array.isArray(sent)) return (sent as readonly FieldValue[]).map(received);
  if (typeof sent !== "object" || sent === null) return sent;
  if (sent instanceof Date || sent instanceof Uint8Array || sent instanceof Decimal) return sent;
  return receivedTable(sent as FieldTable);
}

export function receivedTable(sent: FieldTable): FieldTable {
  const entries = Object.entries(sent).flatMap(([name, entry]) =>
    entry === undefined ? [] : [[name, received(entry)]],
  );
  return Object.fromEntries(entries) as FieldTable;
}

function receivedInteger(sent: number | bigint): number | bigint {
  if (typeof sent === "number" && !Number.isInteger(sent)) return sent;
  return Number.isSafeInteger(Number(sent)) ? Number(sent) : BigInt(sent);
}

function receivedTyped({ type, value: sent }: TypedValue): FieldValue {
  if (type === "float") return Math.fround(Number(sent));
  if (type === "double") return Number(sent);
  if (type === "timestamp") {
    const seconds = BigInt(sent as number | bigint);
    return seconds <= 8_640_000_000_000n ? new Date(Number(seconds) * 1000) : new TypedValue("timestamp", seconds);
  }
  if (typeof sent === "number" || typeof sent === "bigint") return receivedInteger(sent);
  const raw = typeof sent === "string" ? encoder.encode(sent) : sent;
  if (type === "bytes") return raw;
  try {
    return strictDecoder.decode(raw);
  } catch {
    return raw;
  }
}

const fieldTypes: Readonly<Record<FieldType, fc.Arbitrary<unknown> | undefined>> = {
  bit: fc.boolean(),
  octet: fc.nat(0xff),
  short: fc.nat(0xffff),
  long: fc.nat(0xffff_ffff),
  longlong: fc.maxSafeNat(),
  shortstr: shortText,
  longstr: bytes,
  table: fieldTable,
  "reserved-bit": undefined,
  "reserved-short": undefined,
  "reserved-shortstr": undefined,
  "reserved-longstr": undefined,
};

/** All fields of a method. */
export function fieldsOf(name: MethodName): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [field, type] of Object.entries(definitions[name].fields)) {
    const arbitrary = fieldTypes[type];
    if (arbitrary !== undefined) model[field] = arbitrary;
  }
  return fc.record(model);
}

/** A method and its fields. */
export const method: fc.Arbitrary<{ name: MethodName; fields: Record<string, unknown> }> = fc
  .constantFrom(...methodNames)
  .chain((name) => fieldsOf(name).map((fields) => ({ name, fields })));

/** The fields as the peer sees them. */
export function receivedFields(name: MethodName, fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(definitions[name].fields).flatMap(([field, type]) => {
      if (type.startsWith("reserved")) return [];
      return [[field, type === "table" ? receivedTable(fields[field] as FieldTable) : fields[field]]];
    }),
  );
}

/** Any set of properties. */
export const properties: fc.Arbitrary<BasicProperties> = fc.record(
  {
    contentType: shortText,
    contentEncoding: shortText,
    headers: fieldTable,
    deliveryMode: fc.nat(255),
    priority: fc.nat(255),
    correlationId: shortText,
    replyTo: shortText,
    expiration: shortText,
    messageId: shortText,
    timestamp: date,
    type: shortText,
    userId: shortText,
    appId: shortText,
    clusterId: shortText,
  },
  { requiredKeys: [] },
);

export function receivedProperties(sent: BasicProperties): BasicProperties {
  return sent.headers === undefined ? { ...sent } : { ...sent, headers: receivedTable(sent.headers) };
}

/** Whether the content header of these properties fits into one frame: 8 bytes are the frame's, 12 the header's. */
export function fitsFrame(sent: BasicProperties | undefined, frameMax: number): boolean {
  return sent === undefined || frameMax === 0 || encodeProperties(sent).bytes.length <= frameMax - 8 - 12;
}
