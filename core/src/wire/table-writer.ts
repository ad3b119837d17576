/** Field tables, as they are sent. */

import { isBytes, putLong } from "./bytes.ts";
import { maxTableDepth } from "./constants.ts";
import type { UsageError } from "./errors.ts";
import { Decimal, type FieldTable, TypedValue, typedValueTags } from "./field-values.ts";
import { invalid, isDate, isInteger, secondsOf, writeLongText, writeShortText } from "./values.ts";
import type { Output } from "./output.ts";

const tag = {
  array: 0x41,
  bytes: 0x78,
  boolean: 0x74,
  decimal: 0x44,
  double: 0x64,
  int32: 0x49,
  int64: 0x6c,
  string: 0x53,
  table: 0x46,
  timestamp: 0x54,
  void: 0x56,
} as const;

/**
 * Writes a table: its length, and its entries.
 *
 * @param where what the table is, for error messages.
 * @param maxSize the size that `out` may reach.
 * @throws UsageError INVALID_ARGUMENT, with a part of the table written.
 */
export function writeTable(out: Output, table: FieldTable, where: string, maxSize: number): void {
  if (!isPlainObject(table)) throw invalid(where, "is not a plain object");
  new TableWriter(out, where, maxSize).table(table);
}

class TableWriter {
  readonly #out: Output;
  readonly #where: string;
  /**
   * The size is checked while writing: a table whose parts are shared, such as `[x, x]` of `[y, y]` of …, can be small in
   * memory and without end on the wire.
   */
  readonly #maxSize: number;
  #depth = 0;

  constructor(out: Output, where: string, maxSize: number) {
    this.#out = out;
    this.#where = where;
    this.#maxSize = maxSize;
  }

  table(table: FieldTable): void {
    const out = this.#out;
    this.#enter();
    const head = out.reserve(4);
    const at = out.position;
    out.position += 4;
    const start = out.size;
    const names = Object.keys(table);
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      const value = table[name];
      if (value === undefined) continue;
      writeShortText(out, name, this.#where);
      this.#value(value, name);
    }
    putLong(head, at, out.size - start);
    this.#depth--;
  }

  #array(array: readonly unknown[], name: string): void {
    const out = this.#out;
    this.#enter();
    const head = out.reserve(4);
    const at = out.position;
    out.position += 4;
    const start = out.size;
    for (let i = 0; i < array.length; i++) this.#value(array[i], name);
    putLong(head, at, out.size - start);
    this.#depth--;
  }

  #enter(): void {
    if (++this.#depth > maxTableDepth) throw tooDeep(this.#where);
  }

  /** Writes the type and the value. `value` is what the caller gave us, whatever its type says. */
  #value(value: unknown, name: string): void {
    const out = this.#out;
    this.#makeSure(1);
    switch (typeof value) {
      case "string":
        out.octet(tag.string);
        return this.#longText(value, name);
      case "number":
        return this.#number(value, name);
      case "boolean":
        out.octet(tag.boolean);
        return out.octet(value ? 1 : 0);
      case "bigint":
        if (BigInt.asIntN(64, value) !== value) throw this.#invalid(name, "does not fit 64 bits");
        out.octet(tag.int64);
        return out.longlong(value);
      case "object":
        return this.#object(value, name);
      default:
        throw this.#invalid(name, `is of type ${typeof value}`);
    }
  }

  /** Integral numbers go as integers, because RabbitMQ refuses a double where it expects an integer. */
  #number(value: number, name: string): void {
    const out = this.#out;
    if (!Number.isFinite(value))
      throw this.#invalid(name, "is NaN or infinite, for which RabbitMQ closes the connection");
    if (!Number.isInteger(value)) {
      out.octet(tag.double);
      out.double(value);
    } else if (value === (value | 0)) {
      out.octet(tag.int32);
      out.long(value);
    } else if (value >= -(2 ** 63) && value < 2 ** 63) {
      out.octet(tag.int64);
      out.longlong(value);
    } else {
      throw this.#invalid(name, 'is an integer beyond 64 bits; new TypedValue("double", …) sends it as a double');
    }
  }

  #object(value: object | null, name: string): void {
    const out = this.#out;
    if (value === null) {
      out.octet(tag.void);
    } else if (Array.isArray(value)) {
      out.octet(tag.array);
      this.#array(value, name);
    } else if (isPlainObject(value)) {
      out.octet(tag.table);
      this.table(value);
    } else if (isBytes(value)) {
      out.octet(tag.bytes);
      this.#longBytes(value);
    } else if (isDate(value)) {
      const seconds = secondsOf(value);
      if (seconds === undefined) throw this.#invalid(name, "is an invalid Date, or one before 1970");
      out.octet(tag.timestamp);
      out.longlong(seconds);
    } else if (value instanceof Decimal) {
      this.#decimal(value, name);
    } else if (value instanceof TypedValue) {
      this.#typedValue(value, name);
    } else {
      throw this.#invalid(name, "is an object of a class that no field type can hold");
    }
  }

  #decimal(value: Decimal, name: string): void {
    if (!isInteger(value.scale, 0, 0xff)) throw this.#invalid(name, "has a scale that is not 0 to 255");
    if (!isInteger(value.unscaled, 0, 0xffff_ffff)) {
      throw this.#invalid(name, "has an unscaled value that is not 0 to 2^32 - 1");
    }
    this.#out.octet(tag.decimal);
    this.#out.octet(value.scale);
    this.#out.long(value.unscaled);
  }

  #typedValue({ type, value }: TypedValue, name: string): void {
    if (!Object.hasOwn(typedValueTags, type)) throw this.#invalid(name, "has an unknown type");
    this.#out.octet(typedValueTags[type].charCodeAt(0));
    switch (type) {
      case "longstr":
      case "bytes":
        if (typeof value === "string") return this.#longText(value, name);
        if (isBytes(value)) return this.#longBytes(value);
        throw this.#invalid(name, `is neither a string nor bytes, as ${type} needs`);
      case "float":
      case "double":
        return this.#typedFloat(type, value, name);
      default:
        return this.#typedInteger(type, value, name);
    }
  }

  #typedFloat(type: "float" | "double", value: TypedValue["value"], name: string): void {
    if (typeof value !== "number" && typeof value !== "bigint") {
      throw this.#invalid(name, `is not a number, as ${type} needs`);
    }
    const number = Number(value);
    const sent = type === "float" ? Math.fround(number) : number;
    if (!Number.isFinite(sent)) throw this.#invalid(name, `is out of the range of ${type}, or no number`);
    return type === "float" ? this.#out.float(number) : this.#out.double(number);
  }

  #typedInteger(type: keyof typeof integerTypes, value: TypedValue["value"], name: string): void {
    if (typeof value !== "bigint" && !(typeof value === "number" && Number.isInteger(value))) {
      throw this.#invalid(name, `is not an integer, as ${type} needs`);
    }
    const integer = BigInt(value);
    const [bits, wrap] = integerTypes[type];
    if (wrap(bits, integer) !== integer) throw this.#invalid(name, `is out of the range of ${type}`);
    switch (bits) {
      case 8:
        return this.#out.octet(Number(integer));
      case 16:
        return this.#out.short(Number(integer));
      case 32:
        return this.#out.long(Number(integer));
      default:
        return this.#out.longlong(integer);
    }
  }

  #longText(text: string, name: string): void {
    this.#makeSure(text.length);
    writeLongText(this.#out, text, this.#where, name);
  }

  #longBytes(bytes: Uint8Array): void {
    this.#makeSure(bytes.length);
    this.#out.long(bytes.length);
    this.#out.bytes(bytes);
  }

  /** Checks that `count` bytes more are not too many, before memory is taken for them. */
  #makeSure(count: number): void {
    if (this.#out.size + count > this.#maxSize) throw invalid(this.#where, "is larger than a frame may be");
  }

  #invalid(name: string, problem: string): UsageError {
    return invalid(`${this.#where}: ${JSON.stringify(name)}`, problem);
  }
}

const signed = (bits: number, value: bigint): bigint => BigInt.asIntN(bits, value);
const unsigned = (bits: number, value: bigint): bigint => BigInt.asUintN(bits, value);

/** The integral types: how many bits they have, and what makes any integer fit them. */
const integerTypes = {
  int8: [8, signed],
  uint8: [8, unsigned],
  int16: [16, signed],
  uint16: [16, unsigned],
  int32: [32, signed],
  uint32: [32, unsigned],
  int64: [64, signed],
  timestamp: [64, unsigned],
} as const;

/**
 * Whether a value is what an object literal makes, of any realm. Everything else, such as a Map or an instance of a class,
 * would go out as an empty table or worse, and is refused.
 */
export function isPlainObject(value: unknown): value is FieldTable {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function tooDeep(where: string): UsageError {
  return invalid(where, `is nested deeper than ${maxTableDepth} levels, or contains itself`);
}

/**
 * A table or an array with all tables and arrays in it, which its owner may change. What else is in there is kept as it is.
 *
 * @throws UsageError INVALID_ARGUMENT where it is nested too deep, as when it is written.
 */
export function copied<T>(value: T, depth = 1): T {
  const isArray = Array.isArray(value);
  if (!isArray && !isPlainObject(value)) return value;
  if (depth > maxTableDepth) throw tooDeep("arguments");
  const copy = (one: unknown): unknown => copied(one, depth + 1);
  if (isArray) return value.map(copy) as T;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, copy(one)])) as T;
}
