/** Everything that leaves the engine goes through here, and is counted. */

import { protocolHeader } from "../wire/constants.ts";
import {
  type Publication,
  writeAck,
  writeHeartbeat,
  writeMethod,
  writeNack,
  writePublish,
  writeReject,
} from "../wire/encode.ts";
import { payloadMax } from "../wire/frame-parts.ts";
import type { Arguments, MethodName } from "../wire/method-types.ts";
import { Output } from "../wire/output.ts";
import type { RepeatedProperties } from "../wire/repeated-properties.ts";
import { LazyMap } from "./lazy-map.ts";

export type { Publication };

/** What was sent and received, since the connection began. */
export interface EngineCounters {
  readonly framesReceived: number;
  readonly framesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Messages that arrived whole: deliveries, got ones and returned ones. */
  readonly messagesReceived: number;
  readonly messagesPublished: number;
}

/** The counters as their owners keep them. */
export type MutableCounters = { -readonly [C in keyof EngineCounters]: EngineCounters[C] };

/** Counters at zero. */
export function newCounters(): MutableCounters {
  return {
    framesReceived: 0,
    framesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    messagesReceived: 0,
    messagesPublished: 0,
  };
}

/** What two counted together. */
export function addCounters(a: EngineCounters, b: EngineCounters): EngineCounters {
  const sum = newCounters();
  for (const name of Object.keys(sum) as (keyof EngineCounters)[]) sum[name] = a[name] + b[name];
  return sum;
}

/** An output with a frame-max and counters. An encoding that throws leaves nothing behind. */
export class FrameWriter {
  /** The negotiated frame-max, 0 for no limit. */
  frameMax = 0;
  readonly #counters: MutableCounters;
  readonly #output = new Output();
  /** The writers beside this one whose output waits. */
  readonly #holds = new LazyMap<FrameWriter, true>();

  constructor(counters: MutableCounters) {
    this.#counters = counters;
  }

  /** Bytes that wait to be taken. */
  get size(): number {
    return this.#output.size;
  }

  /** Bytes that wait, to be taken or for a {@link hold} to end. */
  get totalSize(): number {
    let size = this.#output.size;
    if (this.#holds.size > 0) for (const hold of this.#holds.keys()) size += hold.size;
    return size;
  }

  /** Takes all output. Nobody writes to these bytes again. */
  take(): Uint8Array[] {
    this.#counters.bytesSent += this.#output.size;
    return this.#output.take();
  }

  header(): void {
    this.#output.bytes(protocolHeader);
  }

  heartbeat(): void {
    writeHeartbeat(this.#output);
    this.#counters.framesSent += 1;
  }

  method<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void {
    writeMethod(this.#output, channel, name, fields, this.frameMax);
    this.#counters.framesSent += 1;
  }

  publish(channel: number, publication: Publication, repeated?: RepeatedProperties): void {
    writePublish(this.#output, channel, publication, this.frameMax, repeated);
    this.#counters.framesSent += 2 + Math.ceil(publication.body.length / payloadMax(this.frameMax));
    this.#counters.messagesPublished += 1;
  }

  ack(channel: number, deliveryTag: number, multiple: boolean): void {
    writeAck(this.#output, channel, deliveryTag, multiple);
    this.#counters.framesSent += 1;
  }

  nack(channel: number, deliveryTag: number, multiple: boolean, requeue: boolean): void {
    writeNack(this.#output, channel, deliveryTag, multiple, requeue);
    this.#counters.framesSent += 1;
  }

  reject(channel: number, deliveryTag: number, requeue: boolean): void {
    writeReject(this.#output, channel, deliveryTag, requeue);
    this.#counters.framesSent += 1;
  }

  /** Encodes one method without sending it. */
  encode<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): readonly Uint8Array[] {
    const output = new Output();
    writeMethod(output, channel, name, fields, this.frameMax);
    return output.take();
  }

  /** Sends the frame that {@link encode} made. */
  encoded(frame: readonly Uint8Array[]): void {
    for (const bytes of frame) this.#output.bytes(bytes);
    this.#counters.framesSent += 1;
  }

  /** A writer beside this one, for output that has to wait. It ends in {@link release} or {@link discard}. */
  hold(): FrameWriter {
    const hold = new FrameWriter(newCounters());
    hold.frameMax = this.frameMax;
    this.#holds.set(hold, true);
    return hold;
  }

  /** Sends what a {@link hold} collected. */
  release(hold: FrameWriter): void {
    this.#holds.delete(hold);
    for (const bytes of hold.#output.take()) this.#output.reference(bytes);
    this.#counters.framesSent += hold.#counters.framesSent;
    this.#counters.messagesPublished += hold.#counters.messagesPublished;
  }

  /** Forgets what a {@link hold} collected. */
  discard(hold: FrameWriter): void {
    this.#holds.delete(hold);
  }
}
