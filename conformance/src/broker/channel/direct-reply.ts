/** Direct reply-to: answers that go to a channel without a queue (rabbitmq.com/docs/direct-reply-to). */

import type { Message } from "../message.ts";
import type { Channel } from "./channel.ts";

/** What a requester consumes from, and names as `reply-to`. */
export const replyQueue = "amq.rabbitmq.reply-to";
const addressPrefix = `${replyQueue}.`;

/** The consumer of replies that a channel has. */
export interface ReplyConsumer {
  readonly tag: string;
  /** The part of its address that is its own. */
  readonly key: string;
}

export function isReplyName(name: string): boolean {
  return name === replyQueue || name.startsWith(addressPrefix);
}

/** What `reply-to` becomes on its way to the responder. */
export function addressOf(consumer: ReplyConsumer): string {
  return addressPrefix + consumer.key;
}

/** All channels of a broker that wait for replies. */
export class ReplyTargets {
  readonly #channels = new Map<string, Channel>();

  add(key: string, channel: Channel): void {
    this.#channels.set(key, channel);
  }

  remove(key: string): void {
    this.#channels.delete(key);
  }

  /** True when somebody waits at that address. */
  has(address: string): boolean {
    return this.#channels.has(address.slice(addressPrefix.length));
  }

  /** Delivers a reply; one that nobody waits for is lost. */
  deliver(address: string, message: Message): void {
    const channel = this.#channels.get(address.slice(addressPrefix.length));
    const consumer = channel?.replyConsumer;
    if (channel !== undefined && consumer !== undefined) channel.deliverReply(consumer.tag, message);
  }
}
