/** Field tables, as they are received. */

import { copyOf, readLonglong } from "./bytes.ts";
import { maxTableDepth } from "./constants.ts";
import { ProtocolError } from "./errors.ts";
import { Decimal, type FieldTable, type FieldValue, TypedValue } from "./field-values.ts";
import { Input } from "./input.ts";
import { decodeStrictText } from "./text.ts";

/** The latest time that a Date can hold, in seconds since 1970. */
const maxDateSeconds = 8_640_000_000_000;

/** A table while it is filled. */
type Entries = Record<string, FieldValue>;

/** Reads a table: its length, and its entries. When a name occurs twice the last one wins. */
export function readTable(input: Input): FieldTable {
  return readEntries(input, 1);
}

function readEntries(outer: Input, depth: number): FieldTable {
  const input = enter(outer, depth);
  const table: Entries = {};
  while (input.position < input.end) {
    const name = input.shortstr();
    const value = readValue(input, depth);
    // As JSON.parse does it: assigning to __proto__ would change the object's prototype.
    if (name === "__proto__")
      Object.defineProperty(table, name, { value, enumerable: true, configurable: true, writable: true });
    else table[name] = value;
  }
  return table;
}

function readArray(outer: Input, depth: number): FieldValue[] {
  const input = enter(outer, depth);
  const array: FieldValue[] = [];
  while (input.position < input.end) array.push(readValue(input, depth));
  return array;
}

/** The inside of a table or an array: nothing in it may reach beyond its announced length. */
function enter(outer: Input, depth: number): Input {
  if (depth > maxTableDepth) {
    throw new ProtocolError("SYNTAX_ERROR", `A field table is nested deeper than ${maxTableDepth} levels`);
  }
  const size = outer.long();
  const start = outer.skip(size);
  return new Input(outer.bytes, start, start + size, "A field table", "SYNTAX_ERROR");
}

function readValue(input: Input, depth: number): FieldValue {
  const tag = input.octet();
  switch (tag) {
    case 0x53: // S
      return readLongString(input);
    case 0x49: // I
      return input.long() | 0;
    case 0x74: // t
      return input.octet() !== 0;
    case 0x6c: // l
    case 0x4c: // L: unsigned in the specification, signed in RabbitMQ
      return readInt64(input);
    case 0x54: // T
      return readTimestamp(input);
    case 0x46: // F
      return readEntries(input, depth + 1);
    case 0x41: // A
      return readArray(input, depth + 1);
    case 0x56: // V
      return null;
    case 0x64: // d
      return input.double();
    case 0x66: // f
      return input.float();
    case 0x44: // D: signed in the specification, unsigned in RabbitMQ
      return new Decimal(input.octet(), input.long());
    case 0x78: // x
      return input.longstr();
    case 0x62: // b
      return (input.octet() << 24) >> 24;
    case 0x42: // B
      return input.octet();
    case 0x73: // s: a short string in the specification, a 16-bit integer in RabbitMQ
      return (input.short() << 16) >> 16;
    case 0x75: // u
      return input.short();
    case 0x69: // i
      return input.long();
    default:
      throw new ProtocolError("SYNTAX_ERROR", `A field table has a value of the unknown type ${tag}`);
  }
}

/** AMQP's long strings are bytes; those that are not UTF-8 stay bytes. */
function readLongString(input: Input): string | Uint8Array {
  const length = input.long();
  const start = input.skip(length);
  return decodeStrictText(input.bytes, start, start + length) ?? copyOf(input.bytes, start, start + length);
}

function readInt64(input: Input): number | bigint {
  const start = input.skip(8);
  const view = new DataView(input.bytes.buffer, input.bytes.byteOffset + start, 8);
  const number = view.getInt32(0) * 0x1_0000_0000 + view.getUint32(4);
  return Number.isSafeInteger(number) ? number : view.getBigInt64(0);
}

function readTimestamp(input: Input): Date | TypedValue {
  const start = input.skip(8);
  const seconds = readLonglong(input.bytes, start);
  if (seconds <= maxDateSeconds) return new Date(seconds * 1000);
  const view = new DataView(input.bytes.buffer, input.bytes.byteOffset + start, 8);
  return new TypedValue("timestamp", view.getBigUint64(0));
}
