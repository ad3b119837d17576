/** A message in a queue. */

import type { Millis } from "../lib/timers.ts";
import type { Message } from "../message.ts";

/** One message in one queue: in line, or delivered and not settled. */
export interface QueueEntry {
  readonly message: Message;
  /** Its place in line. A message that comes back goes there again. In a stream, the offset. */
  readonly position: number;
  readonly arrivedAt: Millis;
  /** When it is dropped or dead-lettered; `undefined` for never. */
  readonly expiresAt: Millis | undefined;
  /** It was delivered before, and came back. */
  redelivered: boolean;
  /** Quorum: how many deliveries failed. */
  failures: number;
  /** Quorum: how often it was delivered and came back, failed or not. */
  returns: number;
}

/** What is kept of a message beside its body and its properties, about. */
const entrySize = 256;

/** What a message takes in memory beside its body. */
export function overheadOf({ properties }: Message): number {
  return properties.size + entrySize;
}

/** What a message costs of a queue's limits: its body. */
export function sizeOf(entry: QueueEntry): number {
  return entry.message.body.length;
}
