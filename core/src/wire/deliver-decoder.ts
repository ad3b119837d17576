/** Deliveries of one consumer differ in their tag, and in little else: what repeats is compared instead of decoded. */

import { readLonglong } from "./bytes.ts";
import { checkTag, decodeDeliver } from "./decode.ts";
import type { Fields } from "./method-types.ts";
import type { ShortStrings } from "./short-strings.ts";

/** In front of the consumer tag: class and method. */
const methodIdSize = 4;

/** Between the consumer tag and the exchange: delivery tag and flags. */
const tagAndFlagsSize = 9;

/** The longest payload that is remembered. Names are mostly short, and with long ones decoding is not what costs. */
const longestRemembered = 256;

const nothing = new Uint8Array(0);

/** Does what {@link decodeDeliver} does. Its fields are those of the delivery that was read last. */
export class DeliverDecoder implements Fields<"basic.deliver"> {
  consumerTag = "";
  deliveryTag = 0;
  redelivered = false;
  exchange = "";
  routingKey = "";

  readonly #strings: ShortStrings;
  /** The payload that was decoded last. */
  #payload: Uint8Array = nothing;
  #size = 0;
  /** Where in a payload the delivery tag is. */
  #tagAt = 0;

  constructor(strings: ShortStrings) {
    this.#strings = strings;
  }

  /**
   * Reads the payload of a `basic.deliver`.
   *
   * @throws ProtocolError as {@link decodeDeliver}.
   */
  read(bytes: Uint8Array, start: number, end: number): void {
    if (end - start !== this.#size || !this.#repeats(bytes, start)) return this.#decode(bytes, start, end);
    const tagAt = start + this.#tagAt;
    this.deliveryTag = checkTag(readLonglong(bytes, tagAt));
    this.redelivered = (bytes[tagAt + 8]! & 1) !== 0;
  }

  /** The delivery that was read last, for keeps. */
  fields(): Fields<"basic.deliver"> {
    const { consumerTag, deliveryTag, redelivered, exchange, routingKey } = this;
    return { consumerTag, deliveryTag, redelivered, exchange, routingKey };
  }

  #repeats(bytes: Uint8Array, start: number): boolean {
    const payload = this.#payload;
    const tagAt = this.#tagAt;
    for (let i = methodIdSize; i < tagAt; i++) if (payload[i] !== bytes[start + i]) return false;
    for (let i = tagAt + tagAndFlagsSize; i < this.#size; i++) if (payload[i] !== bytes[start + i]) return false;
    return true;
  }

  #decode(bytes: Uint8Array, start: number, end: number): void {
    const fields = decodeDeliver(bytes, start, end, this.#strings);
    this.consumerTag = fields.consumerTag;
    this.deliveryTag = fields.deliveryTag;
    this.redelivered = fields.redelivered;
    this.exchange = fields.exchange;
    this.routingKey = fields.routingKey;
    this.#size = 0;
    if (end - start > longestRemembered) return;
    if (this.#payload.length === 0) this.#payload = new Uint8Array(longestRemembered);
    this.#payload.set(bytes.subarray(start, end));
    this.#size = end - start;
    this.#tagAt = methodIdSize + 1 + bytes[start + methodIdSize]!;
  }
}
