/** The properties of messages that are to be published. What RabbitMQ would close the channel for (406) is refused here. */

import type { Publication } from "../engine/frame-writer.ts";
import { isBytes } from "../wire/bytes.ts";
import { TypedValue } from "../wire/field-values.ts";
import {
  type BasicProperties,
  decodeProperties,
  EncodedProperties,
  encodeProperties as encodeAnyProperties,
} from "../wire/properties.ts";
import { longestTime, type MessageHeaders } from "./arguments.ts";
import { checkPropertyNames } from "./message-names.ts";
import { illegal } from "./option-checks.ts";

/** Properties of a message to publish: those of any message, with the headers that RabbitMQ acts upon in typed form. */
export interface OutgoingProperties extends BasicProperties {
  readonly headers?: MessageHeaders | undefined;
}

/**
 * Encodes properties for many messages.
 *
 * @throws UsageError INVALID_ARGUMENT for a value of the wrong type or out of range. The message names the property.
 */
export function encodeProperties(properties: OutgoingProperties): EncodedProperties {
  checkPropertyNames(properties);
  checkProperties(properties);
  return encodeAnyProperties(properties);
}

/** Properties as fields, also where they were encoded before; those need not parse (ProtocolError SYNTAX_ERROR). */
export function plainProperties(properties: Publication["properties"] = {}): BasicProperties {
  return properties instanceof EncodedProperties ? decodeProperties(properties.bytes) : properties;
}

/**
 * Types and sizes are checked where properties are encoded.
 *
 * @throws UsageError INVALID_ARGUMENT for `CC` or `BCC` that are no arrays of strings, and for a time to live that is none.
 */
export function checkProperties(properties: Publication["properties"]): void {
  if (properties instanceof EncodedProperties) return;
  const headers = properties?.headers;
  const expiration = properties?.expiration;
  if (headers !== undefined) {
    checkKeys(headers?.["CC"], "the header CC");
    checkKeys(headers?.["BCC"], "the header BCC");
  }
  if (typeof expiration === "string" && !(/^\+?\d+$/.test(expiration) && Number(expiration) <= longestTime)) {
    throw illegal("expiration", `milliseconds in decimal digits, at most ${longestTime}`, expiration);
  }
}

/**
 * RabbitMQ passes over elements that are no texts: the message would not get where it was sent. Bytes come from a text that
 * was received and is not UTF-8.
 */
function checkKeys(keys: unknown, name: string): void {
  if (keys === undefined) return;
  if (
    !Array.isArray(keys) ||
    !keys.every((key) => typeof key === "string" || isBytes(key) || key instanceof TypedValue)
  ) {
    throw illegal(name, "an array of strings", keys);
  }
}
