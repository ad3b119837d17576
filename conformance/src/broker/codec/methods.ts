/** Methods as a broker reads them: the wire's decoding, RabbitMQ's strictness, and tables with their types. */

import {
  decodeMethod,
  decodePublish,
  type Fields as MethodFields,
  type FieldType,
  type Method,
  ShortStrings,
  type MethodName,
  methods,
  ProtocolError,
} from "@leveret/core/wire";
import { Refusal } from "../failures.ts";
import { type Fields, MalformedTable, parseFields } from "./fields.ts";
import { binary } from "./frames.ts";
import { concat, isUtf8, longAt, viewOf, octetsOf } from "./octets.ts";

/** A method with its table, if it has one, as typed fields. */
export interface ReceivedMethod {
  readonly method: Method;
  /** The fields of its table; empty where the method has none. */
  readonly table: Fields;
}

/**
 * RabbitMQ's reader crashes on it: the connection ends at once, without a word. An unknown method, or a table in a
 * method that does not parse.
 */
export class ReaderCrash extends Error {
  override readonly name = "ReaderCrash";
}

const noFields: Fields = [];
const idSize = 4;

/** Method names by id. */
const names = new Map<number, MethodName>();
for (const [name, { id }] of Object.entries(methods)) names.set(id, name as MethodName);

/** The method that a payload holds, `undefined` when there is no such method. */
export function nameOf(payload: Uint8Array): MethodName | undefined {
  return payload.length < idSize ? undefined : names.get(longAt(payload, 0));
}

/** Exchanges and routing keys of publishers repeat. */
const strings = new ShortStrings();

/**
 * Decodes the payload of a method frame.
 *
 * @throws Refusal FRAME_ERROR when it does not parse to its last octet, or has a short string that is not UTF-8.
 * @throws ReaderCrash
 */
export function receiveMethod(payload: Uint8Array): ReceivedMethod {
  const name = nameOf(payload);
  if (name === undefined) throw new ReaderCrash("There is no such method");
  if (name === "basic.publish") return { method: { name, fields: receivePublish(payload) }, table: noFields };
  const places = placesOf(name, payload);
  if (places === undefined) throw undecodable(payload);
  if (!places.shortstrs.every(isUtf8)) {
    throw new Refusal("FRAME_ERROR", "Malformed UTF-8 in shortstr", { blames: "none" });
  }
  return { method: decode(payload, places.table), table: typedTable(payload, places.table) };
}

/** The method that comes with every message. Its strings reach consumers unchecked, where others must be UTF-8. */
function receivePublish(payload: Uint8Array): MethodFields<"basic.publish"> {
  try {
    const fields = decodePublish(payload, 0, payload.length, strings);
    return { ...fields, exchange: fitting(fields.exchange), routingKey: fitting(fields.routingKey) };
  } catch (error) {
    if (error instanceof ProtocolError) throw undecodable(payload);
    throw error;
  }
}

/** Octets that are not UTF-8 became U+FFFD, which has three: a text of many of them no longer fits a short string, and is cut. */
function fitting(text: string): string {
  if (text.length <= surelyFitting || octetsOf(text).length <= longestShortstr) return text;
  return text.slice(0, surelyFitting);
}

const longestShortstr = 255;
/** No UTF-16 unit takes more than three octets. */
const surelyFitting = longestShortstr / 3;

function undecodable(payload: Uint8Array): Refusal {
  return new Refusal("FRAME_ERROR", `cannot decode ${binary(payload.subarray(idSize))}`);
}

/** Where the strings and the table of a method are. */
interface Places {
  readonly shortstrs: readonly Uint8Array[];
  /** The table's first octet behind its length, and the octet behind the table. */
  readonly table: { readonly start: number; readonly end: number } | undefined;
}

/** Finds strings and table; `undefined` when the payload is too short or too long for the method. */
function placesOf(name: MethodName, payload: Uint8Array): Places | undefined {
  const shortstrs: Uint8Array[] = [];
  let table: Places["table"];
  let offset = idSize;
  let bits = 0;
  for (const type of Object.values(methods[name].fields) as readonly FieldType[]) {
    if (type === "bit" || type === "reserved-bit") {
      if (bits === 0) offset += 1;
      bits = (bits + 1) % 8;
      continue;
    }
    bits = 0;
    const fixed = fixedSizes[type];
    if (fixed !== undefined) {
      offset += fixed;
    } else if (type === "shortstr" || type === "reserved-shortstr") {
      const start = offset + 1;
      offset = start + (payload[offset] ?? 0);
      shortstrs.push(payload.subarray(start, offset));
    } else {
      if (offset + 4 > payload.length) return undefined;
      const start = offset + 4;
      offset = start + longAt(payload, offset);
      if (type === "table") table = { start, end: offset };
    }
    if (offset > payload.length) return undefined;
  }
  return offset === payload.length ? { shortstrs, table } : undefined;
}

const fixedSizes: Partial<Record<FieldType, number>> = {
  octet: 1,
  short: 2,
  long: 4,
  longlong: 8,
  "reserved-short": 2,
};

function typedTable(payload: Uint8Array, place: Places["table"]): Fields {
  if (place === undefined) return noFields;
  try {
    // A copy: what is kept of a table may not hold on to the memory that it was received in.
    return parseFields(new Uint8Array(payload.subarray(place.start, place.end)));
  } catch (error) {
    if (error instanceof MalformedTable) throw new ReaderCrash(error.message);
    throw error;
  }
}

/** The wire's decoding. It is spared the table: it would lose the types, and has a limit on nesting that RabbitMQ has not. */
function decode(payload: Uint8Array, table: Places["table"]): Method {
  const octets =
    table === undefined
      ? payload
      : concat([payload.subarray(0, table.start - 4), new Uint8Array(4), payload.subarray(table.end)]);
  try {
    return decodeMethod(octets, 0, octets.length);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    // All that can still be wrong is a delivery tag that no number can hold.
    const tag = viewOf(payload).getBigUint64(idSize);
    throw new Refusal("PRECONDITION_FAILED", `unknown delivery tag ${tag}`);
  }
}
