/** A message that the server handed back. */

import type { ReturnEvent } from "../engine/events.ts";
import { type BasicProperties, EncodedProperties } from "../wire/properties.ts";

/** A mandatory message that no queue took (`basic.return`). */
export class ReturnedMessage {
  /** AMQP's reply code: 312, no route. */
  readonly replyCode: number;
  /** The server's words. */
  readonly replyText: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly #content: ReturnEvent["content"];

  constructor(event: ReturnEvent) {
    this.replyCode = event.replyCode;
    this.replyText = event.replyText;
    this.exchange = event.exchange;
    this.routingKey = event.routingKey;
    this.#content = event.content;
  }

  /**
   * The properties, decoded at the first access.
   *
   * @throws ProtocolError SYNTAX_ERROR when they do not parse.
   */
  get properties(): BasicProperties {
    return this.#content.properties;
  }

  /** The properties as they were received: publish these to forward a message unchanged. */
  get encodedProperties(): EncodedProperties {
    return new EncodedProperties(this.#content.encodedProperties);
  }

  /** The body, whole. */
  get body(): Uint8Array {
    return this.#content.body;
  }
}
