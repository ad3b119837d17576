/** What a content method carries: a body, and properties that are decoded when somebody looks. */

import { type BasicProperties, decodeProperties } from "../wire/properties.ts";

const noProperties: BasicProperties = Object.freeze({});

/** The flags of a message without properties. */
const noFlags = new Uint8Array(2);

/** The properties and the body of a message. */
export class Content {
  /** The body; it is the receiver's. Its `buffer` may hold other messages too, so copy it rather than transfer the buffer. */
  readonly body: Uint8Array;
  /** Holds the property flags and list as they were received; `undefined` where the message has no property. */
  readonly #encoded: Uint8Array | undefined;
  readonly #start: number;
  readonly #end: number;
  #decoded: BasicProperties | undefined;

  /** Keeps all of this: `encoded[start..end)` are the properties. */
  constructor(body: Uint8Array, encoded?: Uint8Array, start = 0, end: number = encoded?.length ?? 0) {
    this.body = body;
    this.#encoded = encoded;
    this.#start = start;
    this.#end = end;
  }

  /** The property flags and list as they were received. */
  get encodedProperties(): Uint8Array {
    return this.#encoded?.subarray(this.#start, this.#end) ?? noFlags;
  }

  /**
   * The properties of the message; decoded at the first access.
   *
   * @throws ProtocolError SYNTAX_ERROR when the publisher or the server sent properties that do not parse.
   */
  get properties(): BasicProperties {
    this.#decoded ??=
      this.#encoded === undefined ? noProperties : decodeProperties(this.#encoded, this.#start, this.#end);
    return this.#decoded;
  }
}
