/** A consumer of a channel. */

import type { QueueEntry } from "../queues/entry.ts";
import type { Queue } from "../queues/queue.ts";
import type { QueueConsumer } from "../queues/queue-consumers.ts";
import type { Channel } from "./channel.ts";

export interface ConsumerOptions {
  readonly tag: string;
  readonly queue: Queue;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  /** How many deliveries it may have unsettled; 0 for any number. */
  readonly prefetch: number;
}

/** What `basic.consume` makes. */
export class Consumer implements QueueConsumer {
  readonly tag: string;
  readonly queue: Queue;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  readonly prefetch: number;
  readonly channel: Channel;
  parkedAt: number | undefined;
  /** Deliveries of its own that wait for the client. */
  unsettled = 0;

  constructor(channel: Channel, options: ConsumerOptions) {
    this.channel = channel;
    this.tag = options.tag;
    this.queue = options.queue;
    this.noAck = options.noAck;
    this.exclusive = options.exclusive;
    this.priority = options.priority;
    this.prefetch = options.prefetch;
  }

  hasCredit(): boolean {
    if (!this.channel.acceptsDeliveries) return false;
    if (this.noAck) return true;
    return (this.prefetch === 0 || this.unsettled < this.prefetch) && this.channel.hasSharedCredit;
  }

  deliver(entry: QueueEntry): void {
    this.channel.deliver(this, entry);
  }

  cancelledByServer(): void {
    this.channel.consumerLost(this);
  }
}
