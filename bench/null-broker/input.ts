/**
 * What a client sends, read as little as possible: bodies are skipped after a look at their ends, the methods that come
 * by the million are told by their first bytes, and all others are handed on whole.
 */

import { cycle } from "../messages.ts";

/** Who is told what came. */
export interface Receiver {
  /** A whole method frame, but for `basic.publish`, `basic.ack` and the like. */
  method(channel: number, bytes: Buffer, start: number, end: number): void;
  ack(channel: number, tag: number, multiple: boolean): void;
  /** A message is complete. */
  published(inbox: Inbox): void;
  /** A message that is to come back: its header frame and its body frame. */
  echo(header: Buffer, body: Buffer): void;
  fault(problem: string): void;
}

/** What a channel receives. */
export class Inbox {
  readonly channel: number;
  confirms = false;
  /** Whether it is on the list of those that owe confirms. */
  owing = false;
  published = 0;
  /** Those that came back as well: what is confirmed. */
  taken = 0;
  /** The message on its way. */
  size = 0;
  left = 0;
  echoes = false;
  header: Buffer | undefined;

  constructor(channel: number) {
    this.channel = channel;
  }
}

const publishId = 0x003c_0028;
const ackId = 0x003c_0050;
const frameHeader = 7;
const echo = Buffer.from("\0\0\0\x04echo", "latin1");
const nothing = Buffer.alloc(0);

export class Input {
  readonly #receiver: Receiver;
  readonly #inboxes: Inbox[] = [];
  /** Messages on all channels. */
  published = 0;
  #rest: Buffer = nothing;
  /** Bytes to come of the frame that is being skipped. */
  #skip = 0;
  #skipping: Inbox | undefined;

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  inbox(channel: number): Inbox {
    return (this.#inboxes[channel] ??= new Inbox(channel));
  }

  /** A channel begins anew. */
  reset(channel: number): void {
    this.#inboxes[channel] = new Inbox(channel);
  }

  receive(received: Buffer): void {
    const chunk = this.#rest.length === 0 ? received : Buffer.concat([this.#rest, received]);
    this.#rest = nothing;
    const length = chunk.length;
    let at = 0;
    if (this.#skip > 0) {
      at = Math.min(this.#skip, length);
      this.#skip -= at;
      if (this.#skip > 0) return;
      this.#bodyEnded(this.#skipping as Inbox, chunk, at - 2);
    }
    let channel = -1;
    let inbox!: Inbox;
    while (at + frameHeader <= length) {
      const size = chunk[at + 3]! * 0x100_0000 + ((chunk[at + 4]! << 16) | (chunk[at + 5]! << 8) | chunk[at + 6]!);
      const start = at + frameHeader;
      const end = start + size;
      const type = chunk[at]!;
      const number = (chunk[at + 1]! << 8) | chunk[at + 2]!;
      if (number !== channel) inbox = this.inbox((channel = number));
      if (end >= length && (type !== 3 || inbox.echoes || start >= length)) break;
      if (type === 3) {
        if (inbox.left === inbox.size && !inbox.echoes) this.#checkEnd(inbox, chunk[start]!);
        inbox.left -= size;
        if (end >= length) {
          this.#skip = end + 1 - length;
          this.#skipping = inbox;
          return;
        }
        if (inbox.echoes) {
          this.#receiver.echo(inbox.header as Buffer, Buffer.from(chunk.subarray(at, end + 1)));
          inbox.taken += 1;
          this.#receiver.published(inbox);
        } else {
          this.#bodyEnded(inbox, chunk, end - 1);
        }
      } else if (type === 1) {
        const id = (chunk[start]! << 24) | (chunk[start + 1]! << 16) | (chunk[start + 2]! << 8) | chunk[start + 3]!;
        if (id === publishId) {
          inbox.echoes = chunk[start + 7] === 4 && echo.compare(chunk, start + 4, start + 12) === 0;
        } else if (id === ackId) {
          const low =
            chunk[start + 8]! * 0x100_0000 +
            ((chunk[start + 9]! << 16) | (chunk[start + 10]! << 8) | chunk[start + 11]!);
          this.#receiver.ack(number, low, chunk[start + 12] === 1);
        } else {
          this.#receiver.method(number, chunk, start, end);
        }
      } else if (type === 2) {
        const body =
          chunk[start + 8]! * 0x100_0000 + ((chunk[start + 9]! << 16) | (chunk[start + 10]! << 8) | chunk[start + 11]!);
        inbox.size = body;
        inbox.left = body;
        if (inbox.echoes) inbox.header = Buffer.from(chunk.subarray(at, end + 1));
      }
      at = end + 1;
    }
    if (at < length) this.#rest = chunk.subarray(at);
  }

  #bodyEnded(inbox: Inbox, chunk: Buffer, last: number): void {
    if (inbox.left > 0) return;
    // The last byte may have come with the chunk before.
    if (last >= 0) this.#checkEnd(inbox, chunk[last]!);
    inbox.published += 1;
    inbox.taken += 1;
    this.published += 1;
    this.#receiver.published(inbox);
  }

  #checkEnd(inbox: Inbox, byte: number): void {
    if (byte === (inbox.published & (cycle - 1))) return;
    this.#receiver.fault(`message ${inbox.published} of channel ${inbox.channel} is not the one that is next`);
  }
}
