/** A publish whose queues are known, and how it gets there. */

import type { Message } from "../message.ts";
import type { Queue } from "../queues/queue.ts";
import type { Channel } from "./channel.ts";
import type { ConfirmOutcome } from "./confirms.ts";

export interface RoutedPublish {
  readonly message: Message;
  readonly queues: ReadonlySet<Queue>;
  /** Addresses of direct replies. */
  readonly replies: readonly string[];
  readonly mandatory: boolean;
}

/** Puts a message into its queues, or hands it back. */
export function deliverPublish(
  channel: Channel,
  { message, queues, replies, mandatory }: RoutedPublish,
): ConfirmOutcome {
  const { services, virtualHost } = channel.owner;
  const isRouted = queues.size > 0 || (replies.length > 0 && !virtualHost.profile.returnsMandatoryReplies);
  if (mandatory && !isRouted) channel.returnMessage(message);
  for (const address of replies) services.replies.deliver(address, message);
  let outcome: ConfirmOutcome = "ack";
  for (const queue of queues) {
    // It may have been deleted since, inside a transaction: then there is nothing to wait for.
    if (!queue.isDeleted && !queue.publish(message)) outcome = "nack";
  }
  return outcome;
}
