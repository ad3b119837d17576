/** Deliveries that were encoded beforehand: what is left to do for each is to write its tag. */

import { Output, writeDeliver } from "@leveret/core/wire";
import { bodiesOf, cycle, exchange, routingKey, richProperties, type Shape } from "../messages.ts";

/** A consumer that messages go to. */
export interface Target {
  readonly channel: number;
  readonly consumerTag: string;
}

const aboutBatchSize = 256 * 1024;
const deliverId = 0x003c_003c;
const frameOverhead = 8;

/** Deliveries in one buffer, one behind the other. */
export class Batch {
  readonly bytes: Buffer;
  /** Where each begins; one more for the end. */
  readonly #starts: Uint32Array;
  /** Where the tag of each is. */
  readonly #tags: Uint32Array;

  constructor(bytes: Buffer, starts: readonly number[], tags: readonly number[]) {
    this.bytes = bytes;
    this.#starts = Uint32Array.from(starts);
    this.#tags = Uint32Array.from(tags);
  }

  get length(): number {
    return this.#tags.length;
  }

  /** Another one with the same content. */
  copy(): Batch {
    return new Batch(Buffer.from(this.bytes), [...this.#starts], [...this.#tags]);
  }

  /** The bytes of messages `from` to `to`, the first of which gets the tag `tag`, and the next the next. */
  stamp(from: number, to: number, tag: number): Buffer {
    const { bytes } = this;
    for (let index = from; index < to; index += 1) {
      const at = this.#tags[index]!;
      const value = tag + index - from;
      bytes[at + 4] = value >>> 24;
      bytes[at + 5] = value >>> 16;
      bytes[at + 6] = value >>> 8;
      bytes[at + 7] = value;
    }
    return bytes.subarray(this.#starts[from]!, this.#starts[to]!);
  }
}

/** As many deliveries as make a good write, whole cycles, to all targets in turn; at least `least`. */
export function encodeBatch(shape: Shape, targets: readonly Target[], least: number, frameMax: number): Batch {
  const round = cycle * targets.length;
  const about = Math.ceil(aboutBatchSize / (shape.size + 100));
  const count = Math.ceil(Math.max(about, least) / round) * round;
  const bodies = bodiesOf(shape.size);
  const out = new Output();
  const starts = [0];
  const tags: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const { channel, consumerTag } = targets[index % targets.length]!;
    // Behind the frame header, the method's id and the consumer tag.
    tags.push(out.size + 7 + 4 + 1 + Buffer.byteLength(consumerTag));
    const body = bodies[Math.floor(index / targets.length) % cycle]!;
    const properties = shape.rich ? encodable : undefined;
    const delivery = { consumerTag, deliveryTag: 0, redelivered: false, exchange, routingKey, properties, body };
    writeDeliver(out, channel, delivery, frameMax);
    starts.push(out.size);
  }
  return new Batch(Buffer.concat(out.take()), starts, tags);
}

export const encodable = { ...richProperties, timestamp: new Date(richProperties.timestamp * 1000) };

/** The frame of a `basic.deliver`, with any tag. */
export function encodeDeliver({ channel, consumerTag }: Target): Buffer {
  const out = new Output();
  const nothing = new Uint8Array(0);
  writeDeliver(
    out,
    channel,
    { consumerTag, deliveryTag: 0, redelivered: false, exchange, routingKey, body: nothing },
    0,
  );
  const bytes = Buffer.concat(out.take());
  if (bytes.readUInt32BE(7) !== deliverId) throw new Error("a delivery begins with something else");
  return bytes.subarray(0, bytes.readUInt32BE(3) + frameOverhead);
}
