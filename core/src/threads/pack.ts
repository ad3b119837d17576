/**
 * Values on their way to another thread. Structured cloning keeps dates, bigints and bytes, but makes plain objects of
 * instances and copies the whole buffer behind a view. So tables travel as maps, and what is no plain value as an object
 * that names its kind: the two cannot be mistaken for each other.
 */

import { Decimal, TypedValue, type TypedValueType } from "../wire/field-values.ts";
import { copyOf, isBytes } from "../wire/bytes.ts";
import { UsageError } from "../wire/errors.ts";
import { EncodedProperties } from "../wire/properties.ts";

/** Something that structured cloning leaves as it is. */
export type Packed = unknown;

/** How deep values may be nested. The tables of AMQP have a lower limit of their own. */
const maxDepth = 128;

/** What travels in place of an instance. */
type Stand =
  | { readonly kind: "decimal"; readonly scale: number; readonly unscaled: number }
  | { readonly kind: "typed"; readonly type: TypedValueType; readonly value: Packed }
  | { readonly kind: "encoded"; readonly bytes: Uint8Array };

/**
 * Makes a value ready to travel.
 *
 * @param what - Names the value in an error.
 * @throws UsageError INVALID_ARGUMENT for a function, a symbol, or values that are nested too deep.
 */
export function pack(value: unknown, what: string, depth = 0): Packed {
  if (typeof value === "function" || typeof value === "symbol") {
    throw new UsageError("INVALID_ARGUMENT", `${what} is a ${typeof value}, which cannot be handed to another thread`);
  }
  if (typeof value !== "object" || value === null) return value;
  if (depth > maxDepth) throw new UsageError("INVALID_ARGUMENT", `${what} is nested too deep`);
  if (isBytes(value)) return ownBytes(value);
  if (value instanceof Date) return value;
  if (Array.isArray(value)) return value.map((item, i) => pack(item, `${what}[${i}]`, depth + 1));
  const stand = standFor(value);
  if (stand !== undefined) return stand;
  const table = new Map<string, Packed>();
  for (const [name, item] of Object.entries(value)) {
    if (item !== undefined) table.set(name, pack(item, `${what}.${name}`, depth + 1));
  }
  return table;
}

/** Undoes {@link pack}. */
export function unpack(packed: Packed): unknown {
  if (typeof packed !== "object" || packed === null || isBytes(packed) || packed instanceof Date) return packed;
  if (Array.isArray(packed)) return packed.map(unpack);
  if (packed instanceof Map) {
    const table: Record<string, unknown> = {};
    for (const [name, item] of packed as Map<string, Packed>) define(table, name, unpack(item));
    return table;
  }
  const stand = packed as Stand;
  switch (stand.kind) {
    case "decimal":
      return new Decimal(stand.scale, stand.unscaled);
    case "typed":
      return new TypedValue(stand.type, unpack(stand.value) as TypedValue["value"]);
    case "encoded":
      return new EncodedProperties(stand.bytes);
  }
}

/** Bytes that have their buffer to themselves: a view's buffer would travel whole. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : copyOf(bytes, 0, bytes.length);
}

function standFor(value: object): Stand | undefined {
  if (value instanceof Decimal) return { kind: "decimal", scale: value.scale, unscaled: value.unscaled };
  if (value instanceof TypedValue)
    return { kind: "typed", type: value.type, value: pack(value.value, "a typed value") };
  if (value instanceof EncodedProperties) return { kind: "encoded", bytes: ownBytes(value.bytes) };
  return undefined;
}

/** Also for a name like `__proto__`, which a peer may have made up. */
function define(table: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__")
    Object.defineProperty(table, name, { value, enumerable: true, configurable: true, writable: true });
  else table[name] = value;
}
