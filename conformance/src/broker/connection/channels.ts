/** The channels of a connection: which are open, and what each frame means to them. */

import { type Arguments, type ClientMethodName, frameType, type MethodName, methods } from "@leveret/core/wire";
import { basicMethods } from "../channel/basic-methods.ts";
import { Channel } from "../channel/channel.ts";
import { exchangeMethods } from "../channel/exchange-methods.ts";
import type { Handler, Handlers } from "../channel/methods.ts";
import { modeMethods } from "../channel/mode-methods.ts";
import type { ChannelOwner } from "../channel/owner.ts";
import { publish } from "../channel/publish.ts";
import { queueMethods } from "../channel/queue-methods.ts";
import type { Frame } from "../codec/frames.ts";
import { nameOf, type ReceivedMethod, receiveMethod } from "../codec/methods.ts";
import { Refusal } from "../failures.ts";
import { contentOutOfPlace } from "../channel/content-assembler.ts";

const handlers: Handlers = { ...exchangeMethods, ...queueMethods, ...basicMethods, ...modeMethods };

/** The longest reply text, in bytes of UTF-8: it is a short string. */
const maxReplyText = 255;
const dots = "...";

/** What a close method says. */
export type CloseFields = Arguments<"channel.close">;

/** All channels of one connection. */
export class Channels {
  readonly #owner: ChannelOwner;
  /** The most channels that may be open; 0 for any number. */
  readonly #limit: number;
  readonly #channels = new Map<number, Channel>();

  constructor(owner: ChannelOwner, limit: number) {
    this.#owner = owner;
    this.#limit = limit;
  }

  [Symbol.iterator](): IterableIterator<Channel> {
    return this.#channels.values();
  }

  get(number: number): Channel | undefined {
    return this.#channels.get(number);
  }

  /**
   * Handles a frame of a channel.
   *
   * @throws Refusal that ends the connection; one that ends a channel is answered here.
   */
  frame({ type, channel: number, payload }: Frame): void {
    const channel = this.#channels.get(number);
    if (type !== frameType.method) {
      if (channel === undefined) throw contentOutOfPlace();
      const received = channel.content.content(type, payload);
      if (received === undefined || channel.isClosing) return;
      this.#guard(channel, "basic.publish", () => {
        checkIdle(channel);
        publish(channel, received);
      });
      return;
    }
    const received = receiveMethod(payload);
    const { name } = received.method;
    if (channel === undefined) {
      if (name !== "channel.open") throw notOpened(name);
      this.#open(number);
      return;
    }
    channel.content.method();
    if (received.method.name === "basic.publish") channel.content.begin(received.method.fields);
    else if (name === "channel.close-ok" && channel.isClosing) this.#channels.delete(number);
    else if (name === "channel.close") this.#close(channel);
    else if (name === "channel.open") throw new Refusal("CHANNEL_ERROR", "second 'channel.open' seen");
    else if (!channel.isClosing) this.#guard(channel, name, () => handle(channel, received));
  }

  /** Ends a channel with `channel.close`. */
  fail(channel: Channel, fields: CloseFields): void {
    channel.isClosing = true;
    channel.release();
    channel.send("channel.close", fields);
  }

  /** Lets go of every channel. */
  release(): void {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of channels) {
      channel.isClosing = true;
      channel.release();
    }
  }

  #open(number: number): void {
    if (this.#limit !== 0 && this.#channels.size >= this.#limit) {
      throw new Refusal(
        "NOT_ALLOWED",
        `number of channels opened (${this.#channels.size}) has reached the negotiated channel_max (${this.#limit})`,
        { blames: "none" },
      );
    }
    const channel = new Channel(number, this.#owner);
    this.#channels.set(number, channel);
    channel.send("channel.open-ok", {});
  }

  #close(channel: Channel): void {
    // Where both sides close at once the channel is ours to keep until the client has answered.
    if (!channel.isClosing) {
      channel.isClosing = true;
      channel.release();
      this.#channels.delete(channel.number);
    }
    channel.send("channel.close-ok", {});
  }

  /** Runs the handler of a method; a refusal of the soft kind ends the channel alone. */
  #guard(channel: Channel, method: MethodName, handler: () => void): void {
    try {
      handler();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (!error.isSoft) throw error.blaming(method);
      this.fail(channel, closeFields(error, method));
    }
  }
}

/** The fields of a close method that tells of a refusal. */
export function closeFields(refusal: Refusal, method: MethodName | "none"): CloseFields {
  const blamed = refusal.blames ?? method;
  const id = blamed === "none" ? 0 : methods[blamed].id;
  return {
    replyCode: refusal.replyCode,
    replyText: truncate(refusal.message),
    classId: id >>> 16,
    methodId: id & 0xffff,
  };
}

/** The method that a frame holds, to blame; also where it cannot be decoded. */
export function blamedMethod(frame: Frame): MethodName | "none" {
  return (frame.type === frameType.method ? nameOf(frame.payload) : undefined) ?? "none";
}

function handle(channel: Channel, { method, table }: ReceivedMethod): void {
  checkIdle(channel);
  const handler = handlers[method.name as ClientMethodName] as Handler<ClientMethodName> | undefined;
  if (handler === undefined) throw unimplemented(channel, method.name);
  handler(channel, method.fields as never, table);
}

function unimplemented(channel: Channel, name: MethodName): Refusal {
  if (name === "basic.cancel-ok" && channel.owner.virtualHost.profile.cancelOk === "INTERNAL_ERROR") {
    return new Refusal("INTERNAL_ERROR", "", { blames: "none" });
  }
  return new Refusal("COMMAND_INVALID", "unimplemented method");
}

function checkIdle(channel: Channel): void {
  if (channel.mode.kind === "transaction") channel.mode.transaction.checkIdle();
}

function notOpened(method: MethodName): Refusal {
  return new Refusal("CHANNEL_ERROR", "expected 'channel.open'", { blames: method });
}

/** A text that is too long is cut, and says so by three dots: as RabbitMQ does, but never inside of a character. */
function truncate(text: string): string {
  const size = (of: string): number => new TextEncoder().encode(of).length;
  if (text.length * 3 <= maxReplyText || size(text) <= maxReplyText) return text;
  let cut = text.slice(0, maxReplyText - dots.length);
  while (size(cut) > maxReplyText - dots.length) cut = cut.slice(0, -1);
  return `${cut}${dots}`;
}
