/** A socket that got through AMQP's handshake, with one channel open: what the limits are measured on. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Fields, type MethodName, methods, Output, writeMethod } from "@leveret/core/wire";

/** Told each frame but the answers to requests; `start` and `end` are of its payload. */
export type OnFrame = (type: number, bytes: Buffer, start: number, end: number) => void;

const protocolHeader = Buffer.from("AMQP\0\0\x09\x01", "latin1");
export const channelNumber = 1;
const consumerTag = "bare";
export const frameMax = 131_072;
const nothing = Buffer.alloc(0);

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
  readonly socket: Socket;
  onFrame: OnFrame = () => {};
  /** Called when a chunk was looked through. */
  onChunk: () => void = () => {};
  #rest: Buffer = nothing;
  #awaited = 0;
  #answered: ((payload: Buffer) => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
  }

  static async open(port: number): Promise<BareConnection> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    const connection = new BareConnection(socket);
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
    let at = 0;
    while (at + 7 <= length) {
      const start = at + 7;
      const end = start + ((chunk[at + 3]! << 24) | (chunk[at + 4]! << 16) | (chunk[at + 5]! << 8) | chunk[at + 6]!);
      if (end >= length) break;
      const type = chunk[at]!;
      if (type === 1 && this.#awaited !== 0 && chunk.readUInt32BE(start) === this.#awaited) {
        this.#awaited = 0;
        this.#answered?.(Buffer.from(chunk.subarray(start, end)));
      } else {
        this.onFrame(type, chunk, start, end);
      }
      at = end + 1;
    }
    this.#rest = at < length ? chunk.subarray(at) : nothing;
    this.onChunk();
  }
}
