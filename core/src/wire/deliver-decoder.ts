/** Deliveries of one consumer differ in their tag, and in little else: what repeats is compared instead of decoded. */

import { longlong, viewOf } from "./bytes.ts";
import { checkTag, decodeDeliver } from "./decode.ts";
import { methodIdSize } from "./frame-parts.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { Fields } from "./method-types.ts";
import type { ShortStrings } from "./short-strings.ts";

/** Between the consumer tag and the exchange: delivery tag and flags. */
const tagAndFlagsSize = 9;

/** Payloads are compared four octets at a time: with the last of them go up to three of what comes behind. */
const octetsBehind = 3;

/** The longest payload that is remembered. Names are mostly short, and with long ones decoding is not what costs. */
const longestRemembered = 256;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Does what {@link decodeDeliver} does, with one object for all deliveries that are alike. */
export class DeliverDecoder {
  #fields: Writable<Fields<"basic.deliver">> | undefined;
  readonly #strings: ShortStrings;
  /** The payload that was decoded last. */
  readonly #payload = viewOf(new Uint8Array(longestRemembered + octetsBehind));
  #size = 0;
  /** Where in a payload the delivery tag is. */
  #tagAt = 0;

  constructor(strings: ShortStrings) {
    this.#strings = strings;
  }

  /**
   * Reads the payload of a `basic.deliver`, at which the reader stands. Its fields are good until the next one.
   *
   * @throws ProtocolError as {@link decodeDeliver}.
   */
  read({ bytes, view, start, end }: Pick<FrameReader, "bytes" | "view" | "start" | "end">): Fields<"basic.deliver"> {
    const fields = this.#fields;
    const isComparable = view !== undefined && end - start === this.#size && end + octetsBehind <= bytes.length;
    if (fields === undefined || !isComparable || !this.#repeats(view, start)) return this.#decode(bytes, start, end);
    const tagAt = start + this.#tagAt;
    fields.deliveryTag = checkTag(longlong(view.getUint32(tagAt), view.getUint32(tagAt + 4)));
    fields.redelivered = (bytes[tagAt + 8]! & 1) !== 0;
    return fields;
  }

  /** Whether all but the delivery tag is as it was; so is what comes behind, where a content header of the channel does. */
  #repeats(view: DataView, start: number): boolean {
    const payload = this.#payload;
    const tagAt = this.#tagAt;
    for (let i = 0; i < tagAt; i += 4) if (payload.getInt32(i) !== view.getInt32(start + i)) return false;
    for (let i = tagAt + tagAndFlagsSize; i < this.#size; i += 4)
      if (payload.getInt32(i) !== view.getInt32(start + i)) return false;
    return true;
  }

  #decode(bytes: Uint8Array, start: number, end: number): Fields<"basic.deliver"> {
    const fields = decodeDeliver(bytes, start, end, this.#strings);
    this.#fields = fields;
    this.#size = 0;
    if (end - start > longestRemembered) return fields;
    const size = end - start;
    for (let i = 0; i < size + octetsBehind; i++) this.#payload.setUint8(i, bytes[start + i] ?? 0);
    this.#size = size;
    this.#tagAt = methodIdSize + 1 + bytes[start + methodIdSize]!;
    return fields;
  }
}
