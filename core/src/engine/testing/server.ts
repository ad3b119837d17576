/** The other side of an engine, for tests: writes what a server would, and reads what the engine sent. */

import { joined } from "../../wire/bytes.ts";
import { frameType } from "../../wire/constants.ts";
import { decodeContentHeader, decodeMethod } from "../../wire/decode.ts";
import { writeContent, writeHeartbeat, writeMethod } from "../../wire/encode.ts";
import { FrameReader } from "../../wire/frame-reader.ts";
import type { Arguments, Method, MethodName } from "../../wire/method-types.ts";
import { Output } from "../../wire/output.ts";
import { type BasicProperties, decodeProperties } from "../../wire/properties.ts";

/** What an engine sent, frame by frame. */
export type SentFrame =
  | { readonly type: "protocol-header"; readonly bytes: Uint8Array }
  | { readonly type: "heartbeat" }
  | { readonly type: "method"; readonly channel: number; readonly method: Method }
  | {
      readonly type: "header";
      readonly channel: number;
      readonly bodySize: number;
      readonly properties: BasicProperties;
    }
  | { readonly type: "body"; readonly channel: number; readonly bytes: Uint8Array };

/** A server's bytes, in the order of the calls. */
export class ServerBytes {
  readonly #output = new Output();
  readonly #frameMax: number;

  constructor(frameMax = 131_072) {
    this.#frameMax = frameMax;
  }

  method<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): this {
    writeMethod(this.#output, channel, name, fields, this.#frameMax);
    return this;
  }

  content(channel: number, body: Uint8Array, properties: BasicProperties = {}): this {
    writeContent(this.#output, channel, properties, body, this.#frameMax);
    return this;
  }

  heartbeat(): this {
    writeHeartbeat(this.#output);
    return this;
  }

  raw(...bytes: number[]): this {
    this.#output.bytes(Uint8Array.from(bytes));
    return this;
  }

  /** Everything so far, in one piece. */
  take(): Uint8Array {
    return joined(this.#output.take());
  }
}

/** Reads the output of an engine. */
export class SentFrames {
  readonly #reader = new FrameReader(0);
  #headerSeen = false;

  read(segments: readonly Uint8Array[]): SentFrame[] {
    const frames: SentFrame[] = [];
    let bytes = joined(segments);
    if (!this.#headerSeen && bytes.length > 0) {
      frames.push({ type: "protocol-header", bytes: bytes.slice(0, 8) });
      bytes = bytes.subarray(8);
      this.#headerSeen = true;
    }
    this.#reader.append(bytes);
    while (this.#reader.next()) frames.push(this.#frame());
    return frames;
  }

  #frame(): SentFrame {
    const { type, channel, bytes, start, end } = this.#reader;
    switch (type) {
      case frameType.method:
        return { type: "method", channel, method: decodeMethod(bytes, start, end) };
      case frameType.header: {
        const { bodySize, propertiesStart } = decodeContentHeader(bytes, start, end);
        return { type: "header", channel, bodySize, properties: decodeProperties(bytes, propertiesStart, end) };
      }
      case frameType.body:
        return { type: "body", channel, bytes: bytes.slice(start, end) };
      default:
        return { type: "heartbeat" };
    }
  }
}
