/** What a content method carries: a body, and properties that are decoded when somebody looks. */

import { type BasicProperties, decodeProperties } from "../wire/properties.ts";

const noProperties: BasicProperties = Object.freeze({});

/** The flags of a message without properties. */
const noFlags = new Uint8Array(2);

/** The properties and the body of a message. */
export class Content {
  /** The body; it is the receiver's. Its `buffer` may hold other messages too, so copy it rather than transfer the buffer. */
  readonly body: Uint8Array;
  /** The property flags and list as they were received; empty where the message has no property. */
  readonly #encoded: Uint8Array | undefined;
  #decoded: BasicProperties | undefined;

  constructor(body: Uint8Array, encodedProperties: Uint8Array | undefined) {
    this.body = body;
    this.#encoded = encodedProperties;
  }

  /** The property flags and list as they were received. */
  get encodedProperties(): Uint8Array {
    return this.#encoded ?? noFlags;
  }

  /**
   * The properties of the message; decoded at the first access.
   *
   * @throws ProtocolError SYNTAX_ERROR when the publisher or the server sent properties that do not parse.
   */
  get properties(): BasicProperties {
    this.#decoded ??= this.#encoded === undefined ? noProperties : decodeProperties(this.#encoded);
    return this.#decoded;
  }
}
