/**
 * Which publish does a returned message belong to?
 *
 * `basic.return` carries no number. But the server sends it before it confirms that publish, so when a mandatory
 * publish is confirmed, its return is there, if there is one: it is the one with the same exchange, routing key, body
 * and properties. Two publishes that are equal in all of these mean the same to everybody, so it does not matter which
 * of them is told. Nothing is added to the message for this.
 */

import type { Publication } from "../engine/frame-writer.ts";
import { LazyMap } from "../engine/lazy-map.ts";
import { Decimal, type FieldTable, type FieldValue, TypedValue } from "../wire/field-values.ts";
import type { BasicProperties } from "../wire/properties.ts";
import { secondsOf } from "../wire/values.ts";
import { plainProperties } from "./outgoing-properties.ts";
import type { ReturnedMessage } from "./returned-message.ts";

/** Returned messages whose publish is not confirmed yet, by exchange and routing key. */
export class ReturnedMessages {
  readonly #byAddress = new LazyMap<string, ReturnedMessage[]>();

  add(returned: ReturnedMessage): void {
    const address = addressOf(returned);
    const same = this.#byAddress.get(address);
    if (same === undefined) this.#byAddress.set(address, [returned]);
    else same.push(returned);
  }

  /**
   * Takes out the message that answers a publish which was just confirmed.
   *
   * @param others - The mandatory publishes that are still in flight. A server may be set up to change messages beyond
   * recognition; a message that none of the others recognises as its own is taken for this publish's.
   */
  take(publication: Publication, others: Iterable<Publication>): ReturnedMessage | undefined {
    if (this.#byAddress.size === 0) return undefined;
    const address = addressOf(publication);
    const same = this.#byAddress.get(address);
    const oldest = same?.[0];
    if (same === undefined || oldest === undefined) return undefined;
    let found = same.findIndex((returned) => isReturnOf(returned, publication));
    if (found === -1) {
      for (const other of others) if (addressOf(other) === address && isReturnOf(oldest, other)) return undefined;
      found = 0;
    }
    const [returned] = same.splice(found, 1);
    if (same.length === 0) this.#byAddress.delete(address);
    return returned;
  }

  /** Nothing is in flight any more, so what is left belongs to nobody. */
  clear(): void {
    if (this.#byAddress.size > 0) this.#byAddress.clear();
  }
}

function addressOf({ exchange, routingKey }: { readonly exchange: string; readonly routingKey: string }): string {
  return `${exchange.length}:${exchange}${routingKey}`;
}

function isReturnOf(returned: ReturnedMessage, publication: Publication): boolean {
  if (!sameBytes(returned.body, publication.body)) return false;
  try {
    return includesProperties(returned.properties, plainProperties(publication.properties));
  } catch {
    // Properties that were forwarded as they came need not parse.
    return true;
  }
}

/**
 * Whether everything that was published came back. More may have come back: a server can be told to add headers and
 * timestamps. Only BCC is taken away.
 */
function includesProperties(returned: BasicProperties, published: BasicProperties): boolean {
  const { headers: { BCC: _, ...headers } = {}, ...others } = published;
  return includesTable({ headers: {}, ...returned } as FieldTable, { headers, ...others } as FieldTable);
}

function includesTable(returned: FieldTable, published: FieldTable): boolean {
  return Object.entries(published).every(([name, value]) => value === undefined || sameValue(returned[name], value));
}

/** Whether a value is what another one becomes on the way to the server and back. */
function sameValue(a: FieldValue | undefined, b: FieldValue): boolean {
  if (b instanceof TypedValue) return sameValue(a, b.value);
  if (a instanceof TypedValue) return sameValue(a.value, b);
  if (b instanceof Date) return a instanceof Date && secondsOf(a) === secondsOf(b);
  if (b instanceof Uint8Array) return a instanceof Uint8Array && sameBytes(a, b);
  if (b instanceof Decimal) return a instanceof Decimal && a.scale === b.scale && a.unscaled === b.unscaled;
  if (Array.isArray(b)) return Array.isArray(a) && a.length === b.length && b.every((v, i) => sameValue(a[i], v));
  if (typeof b === "object" && b !== null) {
    return typeof a === "object" && a !== null && includesTable(a as FieldTable, b as FieldTable);
  }
  if (isNumeric(a) && isNumeric(b) && typeof a !== typeof b) return Number(a) === Number(b);
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
