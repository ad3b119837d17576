/** A message: what was published, and what the broker needs to know of it. */

import type { Fields } from "./codec/fields.ts";
import { lookup, nestedFields, textValue } from "./codec/fields.ts";
import type { Properties } from "./codec/properties.ts";

const persistentMode = 2;

/** What a message went through before it was published to where it is now. */
export type Past = Pick<Message, "hasDied" | "hasNewKey" | "rejections">;

const none: Past = { hasDied: false, hasNewKey: false, rejections: 0 };

/** Immutable; every queue that a message is routed to shares it. */
export class Message {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: Properties;
  readonly body: Uint8Array;
  /** Milliseconds to live by its own property; `undefined` for ever. */
  readonly timeToLive: number | undefined;

  /** It was dead-lettered: its `x-death` header is the broker's own. */
  readonly hasDied: boolean;

  /** It was dead-lettered under a key of its queue's: a CC header that it has kept leads nowhere any more. */
  readonly hasNewKey: boolean;
  /** How often quorum queues have rejected it. */
  readonly rejections: number;

  /** @param properties - Their `expiration` was checked. */
  constructor(exchange: string, routingKey: string, properties: Properties, body: Uint8Array, past: Past = none) {
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.properties = properties;
    this.body = body;
    this.hasDied = past.hasDied;
    this.hasNewKey = past.hasNewKey;
    this.rejections = past.rejections;
    const expiration = properties.expiration;
    this.timeToLive = expiration === undefined ? undefined : Number(expiration);
  }

  get headers(): Fields | undefined {
    return this.properties.headers;
  }

  get isPersistent(): boolean {
    return this.properties.deliveryMode === persistentMode;
  }

  get priority(): number {
    return this.properties.priority ?? 0;
  }

  /** The routing key, then those of the headers CC and BCC. */
  routingKeys(): readonly string[] {
    return routingKeys(this.routingKey, this.hasNewKey ? undefined : this.headers);
  }
}

/** A routing key, then those of the headers CC and BCC. */
export function routingKeys(routingKey: string, headers: Fields | undefined): readonly string[] {
  return headers === undefined ? [routingKey] : [routingKey, ...keysOf(headers, "CC"), ...keysOf(headers, "BCC")];
}

/** The keys that a CC or BCC header names; elements that are no strings are skipped. */
export function keysOf(headers: Fields, name: "CC" | "BCC"): readonly string[] {
  const field = lookup(headers, name);
  if (field === undefined) return [];
  return nestedFields(field)
    .map(textValue)
    .filter((key) => key !== undefined);
}
