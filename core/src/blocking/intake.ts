/** The messages of one consumer that arrived in a thread that blocks, and that nobody has taken. */

import { Deque } from "../engine/deque.ts";
import type { BlockingConsumerDelivery } from "./blocking-delivery.ts";

/** Messages, and bytes, that are taken before it is said that others may come; a small part of a consumer's window. */
const takenAtATime = 32;
const takenBytesAtATime = 1024 * 1024;

export class Intake {
  /** Whether a loop takes its messages; else `handler` is given them. */
  readonly isLoop: boolean;
  handler: ((delivery: BlockingConsumerDelivery) => unknown) | undefined;
  /** Nothing more comes. */
  isOver = false;
  readonly #deliveries = new Deque<BlockingConsumerDelivery>();
  /** Says that so many were taken, so that others may come. */
  readonly #taken: (count: number, bytes: number) => void;
  #takenCount = 0;
  #takenBytes = 0;
  #consumerTag = "";
  #queue: string;

  constructor(queue: string, isLoop: boolean, taken: (count: number, bytes: number) => void) {
    this.#queue = queue;
    this.isLoop = isLoop;
    this.#taken = taken;
  }

  get consumerTag(): string {
    return this.#consumerTag;
  }

  get queue(): string {
    return this.#queue;
  }

  get waiting(): number {
    return this.#deliveries.size;
  }

  /** The server has started the consumer. */
  begun(consumerTag: string, queue: string): void {
    this.#consumerTag = consumerTag;
    this.#queue = queue;
  }

  push(delivery: BlockingConsumerDelivery): void {
    this.#deliveries.push(delivery);
  }

  shift(): BlockingConsumerDelivery | undefined {
    const delivery = this.#deliveries.shift();
    if (delivery !== undefined) this.#count(delivery);
    return delivery;
  }

  /** Says what was taken every now and then, and when nothing is left. */
  #count({ body }: BlockingConsumerDelivery): void {
    this.#takenCount += 1;
    this.#takenBytes += body.length;
    if (this.#takenCount < takenAtATime && this.#takenBytes < takenBytesAtATime && this.waiting > 0) return;
    this.#tellTaken();
  }

  #tellTaken(): void {
    if (this.#takenCount === 0) return;
    this.#taken(this.#takenCount, this.#takenBytes);
    this.#takenCount = 0;
    this.#takenBytes = 0;
  }

  /** Takes out what can go back to the queue; what cannot, for want of acknowledgements, stays. */
  drainUnsettled(): readonly BlockingConsumerDelivery[] {
    const all = this.#deliveries.drain();
    for (const delivery of all) if (!delivery.outstanding) this.#deliveries.push(delivery);
    return all.filter(({ outstanding }) => outstanding);
  }

  /** The connection was lost: what waits here comes again, but for what needs no acknowledgement. */
  lost(): void {
    for (const delivery of this.#deliveries.drain()) {
      if (delivery.isNoAck) this.#deliveries.push(delivery);
      else this.#count(delivery);
    }
    this.#tellTaken();
  }

  /** The channel is closed: what waits here is the server's again, but for what needs no acknowledgement. */
  channelClosed(): void {
    this.isOver = true;
    for (const delivery of this.#deliveries.drain()) if (delivery.isNoAck) this.#deliveries.push(delivery);
  }
}
