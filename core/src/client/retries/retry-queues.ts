/** The queues where messages wait for another attempt, and where they end. */

import type { Millis } from "../../engine/config.ts";
import { UsageError } from "../../wire/errors.ts";
import type { QueueArguments } from "../arguments.ts";
import type { Channel } from "../channel.ts";
import { illegal } from "../option-checks.ts";

/** What makes the queues of a consumer that tries again. */
export interface RetryQueues {
  /** The queue that is consumed. It is yours: it is not declared. */
  readonly queue: string;
  /** How long a message waits before its second attempt, its third, and so on. Equal delays share a queue. */
  readonly delays: readonly Millis[];
  /** Where messages go that fail for good. Default: the queue's name with `.parked`. */
  readonly parkingQueue?: string | undefined;
  /**
   * The type of the queues for waiting and parking. `"quorum"`, the default: a message leaves its wait at least once,
   * whatever happens to the server. `"classic"`: what comes out of the wait is not confirmed, and can be lost when the
   * server ends in that moment.
   */
  readonly queueType?: "quorum" | "classic" | undefined;
}

/** The queue where messages wait for so long. */
export function delayQueueOf(queue: string, delay: Millis): string {
  return `${queue}.retry.${delay}`;
}

/** The queue where messages end. */
export function parkingQueueOf({ queue, parkingQueue }: RetryQueues): string {
  return parkingQueue ?? `${queue}.parked`;
}

/**
 * Declares the queues for waiting and parking. `openRetryingConsumer` does it, unless it is told not to: who may not
 * declare has somebody else call this.
 *
 * @throws UsageError; ChannelError 406 when there is a queue of such a name that is different.
 */
export async function declareRetryQueues(channel: Channel, queues: RetryQueues): Promise<void> {
  checkRetryQueues(queues);
  const { queue, delays, queueType = "quorum" } = queues;
  const common: QueueArguments = { "x-queue-type": queueType };
  const way: QueueArguments = { ...common, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue };
  const safe: QueueArguments =
    queueType === "quorum" ? { "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish" } : {};
  const waits = [...new Set(delays)].map((delay) =>
    channel.queueDeclare({
      queue: delayQueueOf(queue, delay),
      arguments: { ...way, ...safe, "x-message-ttl": delay },
    }),
  );
  await Promise.all([...waits, channel.queueDeclare({ queue: parkingQueueOf(queues), arguments: common })]);
}

/** @throws UsageError INVALID_ARGUMENT. */
export function checkRetryQueues({ queue, delays, queueType, parkingQueue }: RetryQueues): void {
  if (typeof queue !== "string" || queue === "") throw illegal("queue", "the name of a queue", queue);
  if (!Array.isArray(delays)) throw illegal("delays", "an array of milliseconds", delays);
  if (!delays.every((delay) => Number.isInteger(delay) && delay > 0)) {
    throw new UsageError("INVALID_ARGUMENT", "delays are whole milliseconds, from 1");
  }
  if (queueType !== undefined && queueType !== "quorum" && queueType !== "classic") {
    throw illegal("queueType", '"quorum" or "classic"', queueType);
  }
  if (parkingQueue === queue || parkingQueue === "") {
    throw illegal("parkingQueue", "the name of another queue", parkingQueue);
  }
}
