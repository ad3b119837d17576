/** A message that another thread lent to this one. */

import { Content } from "../engine/content.ts";
import { type BasicProperties, EncodedProperties } from "../wire/properties.ts";
import type { BodyItem, MessageFields } from "./protocol.ts";

/** What can be read of it. How it is settled depends on whether this thread waits for answers or blocks. */
export abstract class LentMessage {
  readonly #fields: MessageFields;
  readonly #content: Content;

  /** @internal Whether it never had to be settled. */
  readonly isNoAck: boolean;

  /** @internal */
  constructor(item: MessageFields & BodyItem) {
    this.isNoAck = item.noAck;
    this.#fields = item;
    this.#content = new Content(item.body as Uint8Array, item.properties);
  }

  /** The body; it belongs to the receiver. */
  get body(): Uint8Array {
    return this.#content.body;
  }

  /**
   * The properties, decoded at the first access.
   *
   * @throws ProtocolError SYNTAX_ERROR when they do not parse.
   */
  get properties(): BasicProperties {
    return this.#content.properties;
  }

  /** The properties as they were received: publish these to forward a message unchanged. */
  get encodedProperties(): EncodedProperties {
    return new EncodedProperties(this.#content.encodedProperties);
  }

  /** The exchange that the message was published to; empty for the default exchange. */
  get exchange(): string {
    return this.#fields.exchange;
  }

  /** The routing key that the message was published with. */
  get routingKey(): string {
    return this.#fields.routingKey;
  }

  /** Whether the message may have been delivered before. */
  get redelivered(): boolean {
    return this.#fields.redelivered;
  }

  /** The number of this delivery on its channel. */
  get deliveryTag(): number {
    return this.#fields.tag;
  }

  /** The number of the channel that the message came on. */
  get channel(): number {
    return this.#fields.channel;
  }
}

/** What this thread knows of the deliveries of a lane: which of them it has not settled. */
export class Outstanding {
  readonly #tags = new Set<number>();
  #highest = 0;
  /** What has this tag or a lower one was lost with its connection. Tags of a channel are never used twice. */
  #lostUpTo = 0;

  get count(): number {
    return this.#tags.size;
  }

  add(tag: number, noAck: boolean): void {
    if (tag > this.#highest) this.#highest = tag;
    if (!noAck && !this.isStale(tag)) this.#tags.add(tag);
  }

  has(tag: number): boolean {
    return this.#tags.has(tag);
  }

  /** Whether a delivery was lost with its connection, settled or not. */
  isStale(tag: number): boolean {
    return tag <= this.#lostUpTo;
  }

  /** A delivery is settled, or with `multiple` all up to it; with tag 0 all there are. */
  settled(tag: number, multiple: boolean): void {
    if (!multiple) this.#tags.delete(tag);
    else for (const one of this.#tags) if (tag === 0 || one <= tag) this.#tags.delete(one);
  }

  /** The channel was lost, and comes back: the server delivers all of it again. */
  lose(): void {
    this.#lostUpTo = this.#highest;
    this.#tags.clear();
  }

  /** The channel is closed: nothing can be settled any more. */
  clear(): void {
    this.#tags.clear();
  }
}
