/**
 * The properties of a message, as octets with an index.
 *
 * A broker hands properties on. It reads the few that concern it, and where it changes one it keeps the octets of all
 * others, so that a message leaves as it came, whatever types its headers have.
 */

import { EncodedProperties } from "@leveret/core/wire";
import { encodeFields, type Fields, parseFields } from "./fields.ts";
import { concat, lengthOctets, longAt, octetsOf, shortAt, textOf } from "./octets.ts";

/** The properties in the order of the wire, and how each is laid out. The first has bit 15 of the flags. */
const layout = [
  ["contentType", "shortstr"],
  ["contentEncoding", "shortstr"],
  ["headers", "table"],
  ["deliveryMode", 1],
  ["priority", 1],
  ["correlationId", "shortstr"],
  ["replyTo", "shortstr"],
  ["expiration", "shortstr"],
  ["messageId", "shortstr"],
  ["timestamp", 8],
  ["type", "shortstr"],
  ["userId", "shortstr"],
  ["appId", "shortstr"],
  ["clusterId", "shortstr"],
] as const;

type PropertyName = (typeof layout)[number][0];

/** The property list of a message does not parse. */
export class MalformedProperties extends Error {
  override readonly name = "MalformedProperties";
}

/** What {@link Properties.with} can change; `undefined` takes the property away. */
export interface PropertyChanges {
  readonly headers?: Fields | undefined;
  readonly deliveryMode?: number | undefined;
  readonly expiration?: string | undefined;
  readonly replyTo?: string | undefined;
}

/** Properties that were received or changed. Immutable. */
export class Properties {
  readonly #octets: Uint8Array;
  /** The octets of each property that is present. */
  readonly #values: ReadonlyMap<PropertyName, Uint8Array>;
  #headers: Fields | undefined;
  #encoded: EncodedProperties | undefined;

  /**
   * @param octets - The flags, and the property list. They are kept.
   * @throws MalformedProperties
   */
  constructor(octets: Uint8Array) {
    this.#octets = octets;
    this.#values = indexOf(octets);
  }

  /** As they go into a content header. */
  get encoded(): EncodedProperties {
    this.#encoded ??= new EncodedProperties(this.#octets);
    return this.#encoded;
  }

  get size(): number {
    return this.#octets.length;
  }

  /**
   * The headers, `undefined` where there are none.
   *
   * @throws MalformedTable
   */
  get headers(): Fields | undefined {
    const octets = this.#values.get("headers");
    if (octets === undefined) return undefined;
    this.#headers ??= parseFields(octets.subarray(4));
    return this.#headers;
  }

  get deliveryMode(): number | undefined {
    return this.#values.get("deliveryMode")?.[0];
  }

  get priority(): number | undefined {
    return this.#values.get("priority")?.[0];
  }

  get expiration(): string | undefined {
    return this.#text("expiration");
  }

  get replyTo(): string | undefined {
    return this.#text("replyTo");
  }

  get userId(): string | undefined {
    return this.#text("userId");
  }

  get messageId(): string | undefined {
    return this.#text("messageId");
  }

  get correlationId(): string | undefined {
    return this.#text("correlationId");
  }

  /** The same properties but for those that `changes` names. */
  with(changes: PropertyChanges): Properties {
    const values = new Map(this.#values);
    change(values, changes, "headers", (headers) => {
      const fields = encodeFields(headers);
      return concat([lengthOctets(fields.length), fields]);
    });
    change(values, changes, "deliveryMode", (mode) => Uint8Array.of(mode));
    change(values, changes, "expiration", shortstr);
    change(values, changes, "replyTo", shortstr);
    return new Properties(compose(values));
  }

  #text(name: PropertyName): string | undefined {
    const octets = this.#values.get(name);
    return octets === undefined ? undefined : textOf(octets.subarray(1));
  }
}

function change<Name extends keyof PropertyChanges>(
  values: Map<PropertyName, Uint8Array>,
  changes: PropertyChanges,
  name: Name,
  encode: (value: Exclude<PropertyChanges[Name], undefined>) => Uint8Array,
): void {
  if (!(name in changes)) return;
  const value = changes[name];
  if (value === undefined) values.delete(name);
  else values.set(name, encode(value as Exclude<PropertyChanges[Name], undefined>));
}

const noValues: ReadonlyMap<PropertyName, Uint8Array> = new Map();

function indexOf(octets: Uint8Array): ReadonlyMap<PropertyName, Uint8Array> {
  if (octets.length < 2) throw new MalformedProperties("The property flags are cut off");
  const flags = shortAt(octets, 0);
  if (flags === 0 && octets.length === 2) return noValues;
  const values = new Map<PropertyName, Uint8Array>();
  let offset = 2;
  for (let index = 0; index < layout.length; index += 1) {
    if ((flags & (0x8000 >> index)) === 0) continue;
    const [name, type] = layout[index] as (typeof layout)[number];
    let size: number;
    if (type === "shortstr") size = 1 + (octets[offset] ?? 0);
    else if (type === "table") size = 4 + (offset + 4 <= octets.length ? longAt(octets, offset) : 0);
    else size = type;
    if (offset + size > octets.length) throw new MalformedProperties(`The property ${name} is cut off`);
    values.set(name, octets.subarray(offset, offset + size));
    offset += size;
  }
  if (offset !== octets.length) throw new MalformedProperties("Octets follow the last property");
  return values;
}

const noFlags = new Uint8Array(2);

function compose(values: ReadonlyMap<PropertyName, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [noFlags];
  let bits = 0;
  for (let index = 0; index < layout.length; index += 1) {
    const value = values.get((layout[index] as (typeof layout)[number])[0]);
    if (value === undefined) continue;
    bits |= 0x8000 >> index;
    parts.push(value);
  }
  parts[0] = Uint8Array.of(bits >> 8, bits);
  return concat(parts);
}

function shortstr(text: string): Uint8Array {
  const octets = octetsOf(text);
  return concat([Uint8Array.of(octets.length), octets]);
}
