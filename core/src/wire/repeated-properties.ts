/** What publishers that send the same properties again and again are spared: checking and encoding them each time. */

import type { FieldTable } from "./field-values.ts";
import { type BasicProperties, type EncodedProperties, encodeProperties } from "./properties.ts";
import { isPlainObject } from "./table-writer.ts";
import { isDate, secondsOf } from "./values.ts";

/** What is longer is encoded each time. This fits any frame. */
const mostBytes = 2048;

/** How many messages, at most, are let pass before properties are compared again. */
const longestWait = 64;

/**
 * The properties of a message before, and from the second time on their bytes.
 *
 * That an object is the same says nothing, for its owner may have changed it: each value that would be encoded is compared
 * with that of a copy. Headers that hold objects are encoded each time.
 */
export class RepeatedProperties {
  #copy: Copy | undefined;
  #encoded: EncodedProperties | undefined;
  /** Messages to let pass, and how many of them the next time: where nothing repeats, nothing is compared in vain. */
  #wait = 0;
  #nextWait = 0;

  /** What to write in place of `properties`: the same bytes come of it, or the same error. */
  find(properties: BasicProperties | EncodedProperties | undefined): BasicProperties | EncodedProperties | undefined {
    // What was encoded before is none, nor is what is refused.
    if (!isPlainObject(properties)) return properties;
    const copy = this.#copy;
    if (this.#wait > 0) {
      this.#wait -= 1;
    } else if (copy !== undefined && isRepeated(properties, copy)) {
      this.#nextWait = 0;
      const encoded = (this.#encoded ??= encodeProperties(copy.properties));
      if (encoded.bytes.length <= mostBytes) return encoded;
    } else {
      // One message that differs is no reason to forget what repeats.
      if (copy === undefined || this.#nextWait > 0) {
        this.#copy = copyOf(properties);
        this.#encoded = undefined;
        this.#wait = this.#nextWait;
      }
      this.#nextWait = Math.min(2 * this.#nextWait + 1, longestWait);
    }
    return properties;
  }
}

/** What was sent. Nothing in it belongs to the sender, who may go on to change what is his. */
interface Copy {
  readonly properties: BasicProperties;
  /** The headers once more. */
  readonly names: readonly string[];
  readonly values: readonly unknown[];
}

/** A copy, where there can be one. */
function copyOf(properties: BasicProperties): Copy | undefined {
  const copy: { -readonly [P in keyof BasicProperties]: BasicProperties[P] } = { ...properties };
  if (isDate(copy.timestamp)) copy.timestamp = new Date(copy.timestamp);
  const { headers } = copy;
  if (headers === undefined) return { properties: copy, names: [], values: [] };
  if (!isPlainObject(headers)) return undefined;
  copy.headers = { ...headers };
  return { properties: copy, names: Object.keys(copy.headers), values: Object.values(copy.headers) };
}

/** What differs from message to message, where anything does, comes first. */
function isRepeated(p: BasicProperties, copy: Copy): boolean {
  const c = copy.properties;
  return (
    p.messageId === c.messageId &&
    p.correlationId === c.correlationId &&
    isSameTime(p.timestamp, c.timestamp) &&
    p.type === c.type &&
    p.replyTo === c.replyTo &&
    p.contentType === c.contentType &&
    p.contentEncoding === c.contentEncoding &&
    p.deliveryMode === c.deliveryMode &&
    p.priority === c.priority &&
    p.expiration === c.expiration &&
    p.userId === c.userId &&
    p.appId === c.appId &&
    p.clusterId === c.clusterId &&
    areSameHeaders(p.headers, copy)
  );
}

function isSameTime(time: Date | undefined, copy: Date | undefined): boolean {
  return time === copy || (isDate(time) && isDate(copy) && secondsOf(time) === secondsOf(copy));
}

function areSameHeaders(headers: FieldTable | undefined, { properties, names, values }: Copy): boolean {
  if (headers === undefined || properties.headers === undefined) return headers === properties.headers;
  if (!isPlainObject(headers)) return false;
  // Not `for in`, which would take what is inherited for a header.
  const found = Object.keys(headers);
  if (found.length !== names.length) return false;
  for (let i = 0; i < found.length; i++) {
    const name = found[i]!;
    const value = headers[name];
    if (name !== names[i] || value !== values[i] || (typeof value === "object" && value !== null)) return false;
  }
  return true;
}
