/** Deliveries that nobody has taken yet. */

import { Deque } from "../engine/deque.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import type { Link } from "./link.ts";

/** Has a link, and another one after a recovery. */
export interface LinkSource {
  readonly link: Link;
}

/** What a delivery counts beside its body. */
const overhead = 256;

/** Bytes from which on a buffer that nothing else bounds stops the reading, and at which it lets it go on. */
const highWater = 8 * 1024 * 1024;
const lowWater = highWater / 4;

/** Messages from which on it does so, and at which it lets it go on. */
const highCount = 4096;
const lowCount = highCount / 4;

/**
 * A buffer of deliveries, first in, first out. With a prefetch the server bounds it. Without one the only way to make
 * the server wait is not to read from it any more: then everything on this connection waits.
 */
export class DeliveryBuffer {
  readonly #host: LinkSource;
  readonly #boundedByServer: boolean;
  readonly #deliveries = new Deque<ConsumerDelivery>();
  #bytes = 0;
  /** The link that this buffer paused. */
  #paused: Link | undefined;

  constructor(host: LinkSource, boundedByServer: boolean) {
    this.#host = host;
    this.#boundedByServer = boundedByServer;
  }

  get size(): number {
    return this.#deliveries.size;
  }

  push(delivery: ConsumerDelivery): void {
    this.#deliveries.push(delivery);
    if (this.#boundedByServer) return;
    this.#bytes += delivery.body.length + overhead;
    if (this.#paused !== undefined || (this.#bytes < highWater && this.size < highCount)) return;
    this.#paused = this.#host.link;
    this.#paused.pause();
  }

  shift(): ConsumerDelivery | undefined {
    const delivery = this.#deliveries.shift();
    if (delivery === undefined || this.#boundedByServer) return delivery;
    this.#bytes -= delivery.body.length + overhead;
    if (this.#paused !== undefined && this.#bytes <= lowWater && this.size <= lowCount) this.letRead();
    return delivery;
  }

  /** Takes everything out. */
  drain(): readonly ConsumerDelivery[] {
    this.#bytes = 0;
    this.letRead();
    return this.#deliveries.drain();
  }

  /** Nothing more will come, for now or for ever: reading need not wait for this buffer. */
  letRead(): void {
    this.#paused?.resume();
    this.#paused = undefined;
  }
}
