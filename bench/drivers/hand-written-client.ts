/**
 * The smallest client that still does the work: a call for each publish, an object for each delivery, a promise for each
 * confirm, and one write for what a turn of the loop produces. It validates nothing, limits nothing, and recovers nothing.
 */

import { type BareConnection, channelNumber } from "./bare-connection.ts";

const segmentSize = 64 * 1024;
/** Bodies from this size on are not copied. */
const large = 16 * 1024;
const deliverId = 0x3c;
const ackId = 0x50;
const getOkId = 0x47;
const framePayload = 131_072 - 8;
const nothing = new Uint8Array(0);
/** More confirms than this are never waited for at a time. */
const slots = 0x4000;

/** Bytes in which any properties that are sent here have room. */
const propertiesRoom = 512;

/** What it can send of properties: short texts of ASCII. */
export interface Properties {
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string | number | boolean>>;
  readonly deliveryMode?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  /** Seconds since 1970. */
  readonly timestamp?: number;
}

export interface Message {
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  /** The header's payload from the property flags on, not decoded. */
  properties: Uint8Array;
  body: Uint8Array;
}

export class HandWrittenClient {
  readonly connection: BareConnection;
  /** Told each delivery, and each answer to a get. */
  onMessage: (message: Message) => unknown = () => {};
  /** Whether bodies are good for the length of that call only, where the connection is one for large ones. */
  lends = false;
  /** Resolves when the socket has room again; `undefined` while it has. */
  congested: Promise<void> | undefined;

  // What goes out.
  #segment = Buffer.allocUnsafeSlow(segmentSize);
  #start = 0;
  #position = 0;
  #full: Buffer[] = [];
  #scheduled = false;
  #ackTo = 0;
  #ackFrom = 0;

  // What comes in.
  #message: Message | undefined;
  #left = 0;
  #filled = 0;
  #lent: Buffer = Buffer.alloc(0);
  #names = Buffer.alloc(0);
  #exchange = "";
  #routingKey = "";
  readonly #confirms: (() => void)[] = [];
  #published = 0;
  #confirmed = 0;

  constructor(connection: BareConnection) {
    this.connection = connection;
    connection.onFrame = (type, bytes, start, end) => this.#frame(type, bytes, start, end);
  }

  // Output

  publish(to: string, key: string, properties: Properties | undefined, body: Uint8Array, mandatory = false): void {
    const size = body.length;
    const small = size < large;
    this.#reserve(64 + to.length + key.length + propertiesRoom + (small ? size : 0));
    const out = this.#segment;
    let at = this.#position;
    const methodSize = 4 + 2 + 1 + to.length + 1 + key.length + 1;
    at = putFrame(out, at, 1, methodSize);
    out[at] = 0;
    out[at + 1] = 0x3c;
    out[at + 2] = 0;
    out[at + 3] = 0x28;
    out[at + 4] = 0;
    out[at + 5] = 0;
    at = putText(out, at + 6, to);
    at = putText(out, at, key);
    out[at] = mandatory ? 1 : 0;
    out[at + 1] = 0xce;
    const header = at + 2;
    at = header + 7;
    out[at] = 0;
    out[at + 1] = 0x3c;
    out.fill(0, at + 2, at + 8);
    out.writeUInt32BE(size, at + 8);
    const end = putProperties(out, at + 12, properties);
    putFrame(out, header, 2, end - at);
    out[end] = 0xce;
    at = end + 1;
    if (small) {
      at = putFrame(out, at, 3, size);
      out.set(body, at);
      out[at + size] = 0xce;
      this.#position = at + size + 1;
    } else {
      this.#position = at;
      this.#sendLarge(body);
    }
    this.#schedule();
  }

  /** Publishes, and resolves when that is confirmed. */
  publishConfirmed(
    to: string,
    key: string,
    properties: Properties | undefined,
    body: Uint8Array,
    mandatory = false,
  ): Promise<void> {
    this.publish(to, key, properties, body, mandatory);
    this.#published += 1;
    const slot = this.#published & (slots - 1);
    return new Promise((resolve) => (this.#confirms[slot] = resolve));
  }

  #sendLarge(body: Uint8Array): void {
    for (let from = 0; from < body.length; from += framePayload) {
      const to = Math.min(body.length, from + framePayload);
      this.#reserve(16);
      this.#position = putFrame(this.#segment, this.#position, 3, to - from);
      this.#close();
      this.#full.push(body.subarray(from, to) as Buffer);
      this.#reserve(16);
      this.#segment[this.#position] = 0xce;
      this.#position += 1;
    }
  }

  #reserve(size: number): void {
    if (this.#position + size <= segmentSize) return;
    this.#close();
    this.#segment = Buffer.allocUnsafeSlow(segmentSize);
    this.#start = 0;
    this.#position = 0;
    this.#flush();
  }

  #close(): void {
    if (this.#position > this.#start) this.#full.push(this.#segment.subarray(this.#start, this.#position));
    this.#start = this.#position;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      this.#putAck();
      this.#close();
      this.#flush();
    });
  }

  #flush(): void {
    const { socket } = this.connection;
    let roomy = true;
    if (this.#full.length > 1) socket.cork();
    for (const piece of this.#full) roomy = socket.write(piece);
    if (this.#full.length > 1) process.nextTick(() => socket.uncork());
    this.#full = [];
    if (roomy) return;
    this.congested ??= new Promise((resolve) => {
      socket.once("drain", () => {
        this.congested = undefined;
        resolve();
      });
    });
  }

  /** Deliveries that are acknowledged one after the other are so at once. */
  ack(tag: number): void {
    if (tag !== this.#ackTo + 1 || this.#ackFrom === 0) {
      this.#putAck();
      this.#ackFrom = tag;
    }
    this.#ackTo = tag;
    this.#schedule();
  }

  #putAck(): void {
    if (this.#ackFrom === 0) return;
    this.#reserve(32);
    const out = this.#segment;
    const at = putFrame(out, this.#position, 1, 13);
    out.fill(0, at, at + 13);
    out[at + 1] = 0x3c;
    out[at + 3] = ackId;
    out.writeUInt32BE(this.#ackTo, at + 8);
    out[at + 12] = this.#ackTo > this.#ackFrom ? 1 : 0;
    out[at + 13] = 0xce;
    this.#position = at + 14;
    this.#ackFrom = 0;
  }

  // Input

  #frame(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === 3) return this.#body(bytes, start, end);
    if (type === 2) {
      const message = this.#message!;
      this.#left = bytes.readUInt32BE(start + 8);
      const properties = bytes.subarray(start + 12, end);
      message.properties = this.connection.borrowed ? Buffer.from(properties) : properties;
      return;
    }
    const method = bytes[start + 3];
    if (method === ackId) return this.#settle(bytes.readUInt32BE(start + 8));
    if (method !== deliverId && method !== getOkId) return;
    const at = method === deliverId ? start + 5 + bytes[start + 4]! : start + 4;
    const names = at + 9;
    const last = method === deliverId ? end : end - 4;
    // Names that repeat are compared with the last ones.
    if (this.#names.length !== last - names || this.#names.compare(bytes, names, last) !== 0) {
      this.#names = Buffer.from(bytes.subarray(names, last));
      const to = this.#names[0]!;
      this.#exchange = this.#names.toString("latin1", 1, 1 + to);
      this.#routingKey = this.#names.toString("latin1", 2 + to);
    }
    this.#message = {
      deliveryTag: bytes.readUInt32BE(at + 4),
      redelivered: bytes[at + 8] === 1,
      exchange: this.#exchange,
      routingKey: this.#routingKey,
      properties: nothing,
      body: nothing,
    };
  }

  #body(bytes: Buffer, start: number, end: number): void {
    const message = this.#message!;
    const size = end - start;
    if (size === this.#left && this.#filled === 0 && (this.lends || !this.connection.borrowed)) {
      message.body = bytes.subarray(start, end);
    } else {
      if (this.#filled === 0) message.body = this.#memory(this.#left);
      message.body.set(bytes.subarray(start, end), this.#filled);
      this.#filled += size;
    }
    this.#left -= size;
    if (this.#left > 0) return;
    this.#filled = 0;
    this.onMessage(message);
  }

  #memory(size: number): Buffer {
    if (!this.lends) return Buffer.allocUnsafeSlow(size);
    if (this.#lent.length < size) this.#lent = Buffer.allocUnsafeSlow(size);
    return this.#lent.subarray(0, size);
  }

  #settle(upTo: number): void {
    while (this.#confirmed < upTo) {
      this.#confirmed += 1;
      this.#confirms[this.#confirmed & (slots - 1)]!();
    }
  }
}

function putFrame(out: Buffer, at: number, type: number, size: number): number {
  out[at] = type;
  out[at + 1] = 0;
  out[at + 2] = channelNumber;
  out[at + 3] = size >>> 24;
  out[at + 4] = size >>> 16;
  out[at + 5] = size >>> 8;
  out[at + 6] = size;
  return at + 7;
}

function putText(out: Buffer, at: number, text: string): number {
  out[at] = text.length;
  for (let index = 0; index < text.length; index += 1) out[at + 1 + index] = text.charCodeAt(index);
  return at + 1 + text.length;
}

/** Flags, and then what they say there is. */
export function putProperties(out: Buffer, start: number, properties: Properties | undefined): number {
  let flags = 0;
  let at = start + 2;
  if (properties !== undefined) {
    const { contentType, headers, deliveryMode, correlationId, replyTo, timestamp } = properties;
    if (contentType !== undefined) {
      flags |= 0x8000;
      at = putText(out, at, contentType);
    }
    if (headers !== undefined) {
      flags |= 0x2000;
      at = putTable(out, at, headers);
    }
    if (deliveryMode !== undefined) {
      flags |= 0x1000;
      out[at] = deliveryMode;
      at += 1;
    }
    if (correlationId !== undefined) {
      flags |= 0x0400;
      at = putText(out, at, correlationId);
    }
    if (replyTo !== undefined) {
      flags |= 0x0200;
      at = putText(out, at, replyTo);
    }
    if (timestamp !== undefined) {
      flags |= 0x0040;
      out.writeUInt32BE(0, at);
      out.writeUInt32BE(timestamp, at + 4);
      at += 8;
    }
  }
  out[start] = flags >>> 8;
  out[start + 1] = flags;
  return at;
}

function putTable(out: Buffer, start: number, table: NonNullable<Properties["headers"]>): number {
  let at = start + 4;
  for (const key in table) {
    const value = table[key]!;
    at = putText(out, at, key);
    if (typeof value === "string") {
      out[at] = 0x53; // S
      // A text of up to 255 bytes is the low byte of the length, and itself.
      out.fill(0, at + 1, at + 4);
      at = putText(out, at + 4, value);
    } else if (typeof value === "number") {
      out[at] = 0x49; // I
      out.writeInt32BE(value, at + 1);
      at += 5;
    } else {
      out[at] = 0x74; // t
      out[at + 1] = value ? 1 : 0;
      at += 2;
    }
  }
  out.writeUInt32BE(at - start - 4, start);
  return at;
}
