/**
 * Field tables as octets with their types.
 *
 * A client sees values; a broker has to see types as well (it compares them, names them in its errors, and refuses a
 * double where an integer belongs), and hands headers on as it received them. So here a field stays what it was on the
 * wire, and its value is read when somebody asks for it. Nothing recurses: a hostile table may be nested very deeply.
 */

import { concat, longAt, octetsOf, sameOctets, textOf, viewOf } from "./octets.ts";

/** The field types that RabbitMQ reads, by tag, under the names that it uses in its errors. */
const typeNames = {
  S: "longstr",
  I: "signedint",
  D: "decimal",
  T: "timestamp",
  F: "table",
  A: "array",
  b: "byte",
  B: "unsignedbyte",
  d: "double",
  f: "float",
  l: "long",
  L: "long",
  s: "short",
  t: "bool",
  u: "unsignedshort",
  i: "unsignedint",
  x: "binary",
  V: "void",
} as const;

type Tag = keyof typeof typeNames;

/** RabbitMQ's name of a field type. */
export type FieldTypeName = (typeof typeNames)[Tag];

/** The octets that a value takes after its tag; `undefined`: a length of four octets comes first. */
const sizes: Readonly<Record<Tag, number | undefined>> = {
  S: undefined,
  I: 4,
  D: 5,
  T: 8,
  F: undefined,
  A: undefined,
  b: 1,
  B: 1,
  d: 8,
  f: 4,
  l: 8,
  L: 8,
  s: 2,
  t: 1,
  u: 2,
  i: 4,
  x: undefined,
  V: 0,
};

const integerTypes: ReadonlySet<FieldTypeName> = new Set([
  "byte",
  "unsignedbyte",
  "short",
  "unsignedshort",
  "signedint",
  "unsignedint",
  "long",
]);

/** One value of a table or an array. */
export interface Field {
  /** The name in a table; empty in an array. */
  readonly name: string;
  readonly type: FieldTypeName;
  /** The value as on the wire, without its tag; with its length where it has one. */
  readonly octets: Uint8Array;
}

/** A table in the order of the wire, duplicates included. */
export type Fields = readonly Field[];

/** The octets are no field table. */
export class MalformedTable extends Error {
  override readonly name = "MalformedTable";
}

/** Octets that hold fields: what follows the length of a table or an array. */
interface Nest {
  readonly octets: Uint8Array;
  readonly kind: "table" | "array";
}

/**
 * Reads a table, or an array, from what follows its length; checks everything that is nested in it.
 *
 * @throws MalformedTable
 */
export function parseFields(octets: Uint8Array, kind: Nest["kind"] = "table"): Fields {
  const fields: Field[] = [];
  const nests: Nest[] = [];
  walk({ octets, kind }, nests, fields);
  for (let nest = nests.pop(); nest !== undefined; nest = nests.pop()) walk(nest, nests, undefined);
  return fields;
}

/** Reads one level: its fields into `fields` where somebody wants them, and what is nested in them into `nests`. */
function walk({ octets, kind }: Nest, nests: Nest[], fields: Field[] | undefined): void {
  for (let offset = 0; offset < octets.length; ) {
    let name = "";
    if (kind === "table") {
      const octetsOfName = slice(octets, offset + 1, octets[offset] as number);
      if (fields !== undefined) name = textOf(octetsOfName);
      offset += 1 + octetsOfName.length;
    }
    const tag = String.fromCharCode(octets[offset] ?? 0);
    if (!isTag(tag)) throw new MalformedTable(`There is no field type ${JSON.stringify(tag)}`);
    const type = typeNames[tag];
    offset += 1;
    const value = slice(octets, offset, sizes[tag] ?? 4 + longAt(slice(octets, offset, 4), 0));
    offset += value.length;
    if (fields !== undefined) fields.push({ name, type, octets: value });
    if (type === "table" || type === "array") nests.push({ octets: value.subarray(4), kind: type });
  }
}

/** What the memory of one field costs beside its octets, roughly. */
const fieldOverhead = 128;

/** The bytes that a table takes while it is kept. */
export function heldBytesOf(fields: Fields): number {
  return fields.reduce((sum, { name, octets }) => sum + name.length + octets.length + fieldOverhead, 0);
}

/** Reads the fields that are nested in a table or an array field. They were checked when the outer table was read. */
export function nestedFields(field: Field): Fields {
  return field.type === "table" || field.type === "array" ? parseFields(field.octets.subarray(4), field.type) : [];
}

/** The first field of that name. */
export function lookup(fields: Fields, name: string): Field | undefined {
  for (const field of fields) if (field.name === name) return field;
  return undefined;
}

/** True for the types that RabbitMQ takes for an integer; a timestamp is none. */
export function isInteger(field: Field): boolean {
  return integerTypes.has(field.type);
}

/** The value of a text field; `undefined` where the field is of another type. */
export function textValue(field: Field | undefined): string | undefined {
  return field?.type === "longstr" ? textOf(field.octets.subarray(4)) : undefined;
}

/** The value of an integer or timestamp field; `undefined` where the field is of another type. */
export function integerValue(field: Field | undefined): bigint | undefined {
  if (field === undefined) return undefined;
  const view = viewOf(field.octets);
  switch (field.type) {
    case "byte":
      return BigInt(view.getInt8(0));
    case "unsignedbyte":
      return BigInt(view.getUint8(0));
    case "short":
      return BigInt(view.getInt16(0));
    case "unsignedshort":
      return BigInt(view.getUint16(0));
    case "signedint":
      return BigInt(view.getInt32(0));
    case "unsignedint":
      return BigInt(view.getUint32(0));
    case "long":
      return view.getBigInt64(0);
    case "timestamp":
      return view.getBigUint64(0);
    default:
      return undefined;
  }
}

/** The value of a float or double field; `undefined` where the field is of another type. */
function floatValue(field: Field): number | undefined {
  if (field.type === "double") return viewOf(field.octets).getFloat64(0);
  if (field.type === "float") return viewOf(field.octets).getFloat32(0);
  return undefined;
}

/** The value of a bool field; `undefined` where the field is of another type. */
export function boolValue(field: Field | undefined): boolean | undefined {
  return field?.type === "bool" ? field.octets[0] !== 0 : undefined;
}

/**
 * A value as Erlang prints it inside an error: text as it is (`~s`), or a term (`~p`).
 */
export function printValue(field: Field): string {
  switch (field.type) {
    case "longstr":
    case "binary":
      return textOf(field.octets.subarray(4));
    case "bool":
      return String(boolValue(field));
    case "void":
      return "undefined";
    case "double":
    case "float":
      return printFloat(floatValue(field) ?? 0);
    case "table":
    case "array":
      return "[]";
    case "decimal":
      return `{${field.octets[0]},${viewOf(field.octets).getUint32(1)}}`;
    default:
      return String(integerValue(field));
  }
}

/** As Erlang prints a float: `1.5`, and `5.0e3` where that is shorter than `5000.0`. */
function printFloat(value: number): string {
  const plain = Number.isInteger(value) ? value.toFixed(1) : String(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  const scientific = `${digits.includes(".") ? digits : `${digits}.0`}e${Number(exponent)}`;
  return plain.includes("e") || scientific.length < plain.length ? scientific : plain;
}

/** Equal values, whatever types they have: how Erlang compares two terms after decoding. */
export function sameValue(left: Field, right: Field, looseNumbers: boolean): boolean {
  const leftInteger = integerValue(left);
  const rightInteger = integerValue(right);
  if (leftInteger !== undefined && rightInteger !== undefined) return leftInteger === rightInteger;
  const leftFloat = floatValue(left);
  const rightFloat = floatValue(right);
  if (leftFloat !== undefined && rightFloat !== undefined) return leftFloat === rightFloat;
  if (leftInteger !== undefined || rightInteger !== undefined) {
    const float = leftFloat ?? rightFloat;
    return looseNumbers && float !== undefined && float === Number(leftInteger ?? rightInteger);
  }
  if (left.type === "bool" || right.type === "bool") return boolValue(left) === boolValue(right);
  const bothText = isText(left) && isText(right);
  return (bothText || left.type === right.type) && sameOctets(left.octets, right.octets);
}

/** A table's octets, without the length in front. */
export function encodeFields(fields: Fields, kind: Nest["kind"] = "table"): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    if (kind === "table") {
      const name = octetsOf(field.name);
      parts.push(Uint8Array.of(name.length), name);
    }
    parts.push(Uint8Array.of(tagOf(field.type)), field.octets);
  }
  return concat(parts);
}

function isText(field: Field): boolean {
  return field.type === "longstr" || field.type === "binary";
}

const tags = new Map<FieldTypeName, number>();
for (const [tag, type] of Object.entries(typeNames)) if (tag !== "L") tags.set(type, tag.charCodeAt(0));

function tagOf(type: FieldTypeName): number {
  return tags.get(type) as number;
}

function isTag(tag: string): tag is Tag {
  return Object.hasOwn(typeNames, tag);
}

function slice(octets: Uint8Array, offset: number, length: number): Uint8Array {
  if (offset + length > octets.length) throw new MalformedTable("A value is cut off");
  return octets.subarray(offset, offset + length);
}

/**
 * Headers as RabbitMQ 4.0 and later hand them on: sorted by name, the first of each name, one spelling of each value.
 * The same object where they are like that already.
 */
export function normalised(fields: Fields): Fields {
  if (
    fields.every(
      (field, index) => isSpelled(field) && (fields[index - 1]?.name ?? "") <= field.name && !isRepeated(fields, index),
    )
  ) {
    return fields;
  }
  const byName = new Map<string, Field>();
  for (const field of fields) {
    if (byName.has(field.name)) continue;
    const octets = field.type === "bool" ? Uint8Array.of(field.octets[0] === 0 ? 0 : 1) : field.octets;
    byName.set(field.name, { name: field.name, type: field.type, octets });
  }
  return [...byName.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** A long may have come under either of its two tags: it is written anew. */
function isSpelled(field: Field): boolean {
  return field.type === "bool" ? (field.octets[0] ?? 0) <= 1 : field.type !== "long";
}

function isRepeated(fields: Fields, index: number): boolean {
  return index > 0 && fields[index - 1]?.name === fields[index]?.name;
}
