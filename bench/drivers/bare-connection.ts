/** A socket that got through AMQP's handshake, with one channel open: what the limits are measured on. */

import { once } from "node:events";
import { connect } from "node:net";
import { type Fields, type MethodName, methods, Output, writeMethod } from "@leveret/core/wire";
import type { Shape } from "../messages.ts";

/**
 * Told each frame but the answers to requests; `start` and `end` are of its payload. Of a connection for large bodies, `bytes`
 * are good for the length of the call, and a body frame may come in pieces.
 */
export type OnFrame = (type: number, bytes: Buffer, start: number, end: number) => void;

/** As much of a socket as is used. */
export interface PlainSocket {
  write(bytes: Uint8Array): boolean;
  cork(): void;
  uncork(): void;
  once(event: "drain", listener: () => void): unknown;
  end(): unknown;
}

/** Connects. With `borrowed`, what is received is good for the length of the call only. */
export type Dial = (port: number, borrowed: boolean, receive: (chunk: Buffer) => void) => Promise<PlainSocket>;

const protocolHeader = Buffer.from("AMQP\0\0\x09\x01", "latin1");
export const channelNumber = 1;
const consumerTag = "bare";
export const frameMax = 131_072;
const nothing = Buffer.alloc(0);

/** Bodies from this size on are read with one buffer that is used again and again. */
const large = 16 * 1024;
const readBufferSize = 512 * 1024;

export const dialNode: Dial = async (port, borrowed, receive) => {
  const target = { port, host: "127.0.0.1", noDelay: true };
  const buffer = Buffer.allocUnsafeSlow(borrowed ? readBufferSize : 0);
  const callback = (size: number): boolean => {
    receive(buffer.subarray(0, size));
    return true;
  };
  const socket = connect(borrowed ? { ...target, onread: { buffer, callback } } : target);
  if (!borrowed) socket.on("data", receive);
  await once(socket, "connect");
  return socket;
};

export function encode<M extends MethodName>(method: M, fields: Fields<M>, channel = channelNumber): Buffer {
  const out = new Output();
  writeMethod(out, channel, method, fields, frameMax);
  return Buffer.concat(out.take());
}

/** A question for a queue that is there. */
function encodeCount(queue: string): Buffer {
  const no = { durable: false, exclusive: false, autoDelete: false, noWait: false };
  return encode("queue.declare", { queue, passive: true, ...no, arguments: {} });
}

export class BareConnection {
  onFrame: OnFrame = () => {};
  /** Called when a chunk was looked through. */
  onChunk: () => void = () => {};
  #rest: Buffer = nothing;
  /** What is to come of a body frame that comes in pieces, with its end octet. */
  #toCome = 0;
  /** Whether bytes are good for the length of a call, and body frames come in pieces. */
  readonly borrowed: boolean;
  #awaited = 0;
  #answered: ((payload: Buffer) => void) | undefined;

  #socket: PlainSocket | undefined;

  private constructor(borrowed: boolean) {
    this.borrowed = borrowed;
  }

  get socket(): PlainSocket {
    if (this.#socket === undefined) throw new Error("not open yet");
    return this.#socket;
  }

  static async open(dial: Dial, port: number, { size }: Shape): Promise<BareConnection> {
    const connection = new BareConnection(size >= large);
    connection.#socket = await dial(port, connection.borrowed, (chunk) => connection.#receive(chunk));
    await connection.ask(protocolHeader, "connection.start");
    const response = Buffer.from("\0guest\0guest", "latin1");
    const startOk = encode(
      "connection.start-ok",
      { clientProperties: {}, mechanism: "PLAIN", response, locale: "en_US" },
      0,
    );
    await connection.ask(startOk, "connection.tune");
    const tuneOk = encode("connection.tune-ok", { channelMax: 2047, frameMax, heartbeat: 0 }, 0);
    const open = encode("connection.open", { virtualHost: "/" }, 0);
    await connection.ask(Buffer.concat([tuneOk, open]), "connection.open-ok");
    await connection.request("channel.open", {}, "channel.open-ok");
    return connection;
  }

  request<M extends MethodName>(method: M, fields: Fields<M>, reply: MethodName): Promise<Buffer> {
    return this.ask(encode(method, fields), reply);
  }

  /** Sends, and resolves with the payload of the answer. */
  ask(bytes: Buffer, reply: MethodName): Promise<Buffer> {
    this.#awaited = methods[reply].id;
    this.socket.write(bytes);
    return new Promise((resolve) => (this.#answered = resolve));
  }

  /** How many messages the broker has of a queue. */
  async count(queue: string): Promise<number> {
    const answer = await this.ask(encodeCount(queue), "queue.declare-ok");
    return answer.readUInt32BE(answer.length - 8);
  }

  limit(prefetchCount: number): Promise<Buffer> {
    return this.request("basic.qos", { prefetchSize: 0, prefetchCount, global: false }, "basic.qos-ok");
  }

  consume(queue: string, noAck: boolean): Promise<Buffer> {
    const no = { noLocal: false, exclusive: false, noWait: false };
    return this.request("basic.consume", { queue, consumerTag, noAck, ...no, arguments: {} }, "basic.consume-ok");
  }

  cancel(): Promise<Buffer> {
    return this.request("basic.cancel", { consumerTag, noWait: false }, "basic.cancel-ok");
  }

  async close(): Promise<void> {
    const fields = { replyCode: 200, replyText: "", classId: 0, methodId: 0 };
    await this.ask(encode("connection.close", fields, 0), "connection.close-ok");
    this.socket.end();
  }

  #receive(received: Buffer): void {
    const chunk = this.#rest.length === 0 ? received : Buffer.concat([this.#rest, received]);
    const { length } = chunk;
    let at = this.#toCome > 0 ? this.#piece(chunk, 0) : 0;
    while (at + 7 <= length) {
      const start = at + 7;
      const end = start + ((chunk[at + 3]! << 24) | (chunk[at + 4]! << 16) | (chunk[at + 5]! << 8) | chunk[at + 6]!);
      const type = chunk[at]!;
      if (end >= length && type === 3 && this.borrowed) {
        this.#toCome = end - start + 1;
        at = this.#piece(chunk, start);
        break;
      }
      if (end >= length) break;
      if (type === 1 && this.#awaited !== 0 && chunk.readUInt32BE(start) === this.#awaited) {
        this.#awaited = 0;
        this.#answered?.(Buffer.from(chunk.subarray(start, end)));
      } else {
        this.onFrame(type, chunk, start, end);
      }
      at = end + 1;
    }
    this.#rest = at < length ? chunk.subarray(at) : nothing;
    if (this.borrowed && at < length) this.#rest = Buffer.from(this.#rest);
    this.onChunk();
  }

  /** Takes what there is of a body frame, and returns where the next frame begins. */
  #piece(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#toCome - 1);
    if (end > start) this.onFrame(3, chunk, start, end);
    this.#toCome -= end - start;
    if (this.#toCome > 1 || end === chunk.length) return end;
    this.#toCome = 0;
    return end + 1;
  }
}
