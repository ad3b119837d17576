/** The values of field tables: what headers, arguments and properties of peers are made of. */

/**
 * A value in a field table, as JavaScript sees it.
 *
 * | JavaScript | sent as | received from |
 * |---|---|---|
 * | string | `S` | `S` |
 * | boolean | `t` | `t` |
 * | integral number | `I` when it fits 32 bits, else `l` | `b B s u I i l L` when safe |
 * | other finite number | `d` | `d f` |
 * | bigint | `l` | `l L` beyond 2^53 |
 * | Date | `T`, whole seconds | `T` |
 * | Uint8Array | `x` | `x`, and `S` that is not UTF-8 |
 * | array, plain object | `A`, `F` | `A`, `F` |
 * | null | `V` | `V` |
 * | {@link Decimal} | `D` | `D` |
 * | {@link TypedValue} | the type it names | `T` beyond the range of Date |
 *
 * A type that JavaScript does not tell apart is lost on the way through it: a received `d` of 10.0 is 10, and sent again as
 * `I`; one beyond 64 bits, such as 1e300, is then refused unless a {@link TypedValue} says "double". To forward a message
 * unchanged, forward its encoded properties.
 *
 * Source: RabbitMQ's reading of the field types (rabbitmq.com/amqp-0-9-1-errata), where `s` is a 16-bit integer.
 */
export type FieldValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Date
  | Uint8Array
  | Decimal
  | TypedValue
  | FieldArray
  | FieldTable;

/** An array of field values; the elements may be of mixed types. */
export type FieldArray = readonly FieldValue[];

/** A field table: names of at most 255 bytes of UTF-8, and their values. An entry whose value is `undefined` is left out. */
export interface FieldTable {
  readonly [name: string]: FieldValue | undefined;
}

/** A decimal: `unscaled` divided by 10 to the power of `scale`. RabbitMQ reads the unscaled value as unsigned. */
export class Decimal {
  /** 0 to 255. */
  readonly scale: number;
  /** 0 to 2^32 - 1. */
  readonly unscaled: number;

  constructor(scale: number, unscaled: number) {
    this.scale = scale;
    this.unscaled = unscaled;
  }
}

/** The field types that a {@link TypedValue} can name, and the letter each has on the wire. */
export const typedValueTags = {
  int8: "b",
  uint8: "B",
  int16: "s",
  uint16: "u",
  int32: "I",
  uint32: "i",
  int64: "l",
  float: "f",
  double: "d",
  timestamp: "T",
  longstr: "S",
  bytes: "x",
} as const;

/** A field type by name. */
export type TypedValueType = keyof typeof typedValueTags;

/**
 * A value with its wire type said, for the rare peer that minds: `new TypedValue("int64", 10)`.
 *
 * `timestamp` takes seconds; `longstr` and `bytes` take a string or bytes; the others take a number or a bigint in range.
 */
export class TypedValue {
  readonly type: TypedValueType;
  readonly value: number | bigint | string | Uint8Array;

  constructor(type: TypedValueType, value: number | bigint | string | Uint8Array) {
    this.type = type;
    this.value = value;
  }
}
