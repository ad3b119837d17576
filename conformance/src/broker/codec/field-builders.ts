/** Fields that the broker makes itself: headers such as `x-death`. */

import { encodeFields, type Field, type Fields } from "./fields.ts";
import { concat, lengthOctets, octetsOf, viewOf } from "./octets.ts";

export function longstr(name: string, text: string): Field {
  return { name, type: "longstr", octets: withLength(octetsOf(text)) };
}

/** A signed integer of 64 bits. */
export function long(name: string, value: number | bigint): Field {
  const octets = new Uint8Array(8);
  viewOf(octets).setBigInt64(0, BigInt(value));
  return { name, type: "long", octets };
}

/** @param seconds - Whole seconds since 1970. */
export function timestamp(name: string, seconds: number): Field {
  return { ...long(name, seconds), type: "timestamp" };
}

export function bool(name: string, value: boolean): Field {
  return { name, type: "bool", octets: Uint8Array.of(value ? 1 : 0) };
}

export function array(name: string, elements: Fields): Field {
  return { name, type: "array", octets: withLength(encodeFields(elements, "array")) };
}

export function table(name: string, fields: Fields): Field {
  return { name, type: "table", octets: withLength(encodeFields(fields)) };
}

function withLength(octets: Uint8Array): Uint8Array {
  return concat([lengthOctets(octets.length), octets]);
}
