/** The channels of a connection: their numbers, and whose each frame is. */

import { frameType } from "../wire/constants.ts";
import { decodeMethod } from "../wire/decode.ts";
import { DeliverDecoder } from "../wire/deliver-decoder.ts";
import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import { ShortStrings } from "../wire/short-strings.ts";
import { invalid } from "../wire/values.ts";
import { Channel } from "./channel.ts";
import type { ChannelHost, EngineParts } from "./channel-host.ts";
import type { ChannelEngine } from "./channel-engine.ts";
import { ChannelNumbers } from "./channel-numbers.ts";
import type { EngineLimits } from "./config.ts";
import type { Deque } from "./deque.ts";
import { closedByClient, type ConnectionError } from "./errors.ts";
import type { ChannelClosedEvent, ConnectionEvent } from "./events.ts";
import type { FrameWriter, MutableCounters } from "./frame-writer.ts";
import type { PendingRequest } from "./request.ts";
import type { RequestDeadlines } from "./request-deadlines.ts";
import { Slab } from "./slab.ts";

/** What the channels need of their connection. */
export interface ChannelsHost extends EngineParts {
  /** As in the configuration of the connection. */
  readonly cheapArraySize: number | undefined;
}

/** The channels that are not closed for both peers. */
export class Channels implements ChannelHost {
  readonly writer: FrameWriter;
  readonly limits: EngineLimits;
  readonly counters: MutableCounters;
  readonly frameByFrame: boolean;
  readonly #cheapArraySize: number | undefined;
  readonly events: Deque<ConnectionEvent>;
  /**
   * By number. Not a `Map`: V8 keeps there what was deleted, for a number that is closed and opened again and again. Most
   * connections have one channel, and an array that has to grow makes room for 17.
   */
  readonly #channels: (Channel | undefined)[] = [undefined, undefined];
  readonly #requestDeadlines: RequestDeadlines;
  #numbers = new ChannelNumbers(0, this.#channels);
  /** These are made for the first delivery. */
  #slab: Slab | undefined;
  #strings: ShortStrings | undefined;
  #delivers: DeliverDecoder | undefined;

  constructor(host: ChannelsHost, requestDeadlines: RequestDeadlines) {
    const { writer, limits, counters, frameByFrame, cheapArraySize, events } = host;
    this.writer = writer;
    this.limits = limits;
    this.counters = counters;
    this.frameByFrame = frameByFrame;
    this.#cheapArraySize = cheapArraySize;
    this.events = events;
    this.#requestDeadlines = requestDeadlines;
  }

  // What channels share

  get slab(): Slab {
    return (this.#slab ??= new Slab(this.#cheapArraySize));
  }

  get strings(): ShortStrings {
    return (this.#strings ??= new ShortStrings());
  }

  get delivers(): DeliverDecoder {
    return (this.#delivers ??= new DeliverDecoder(this.strings));
  }

  requestWritten(request: PendingRequest): void {
    this.#requestDeadlines.written(request);
  }

  numberFreed(number: number): void {
    this.#channels[number] = undefined;
    this.#numbers.released(number);
  }

  // What the connection says

  /** The highest channel number was negotiated. */
  limit(channelMax: number): void {
    this.#numbers = new ChannelNumbers(channelMax, this.#channels);
  }

  /** The channel with that number, unless the number is free. */
  get(number: number): ChannelEngine | undefined {
    return this.#channels[number];
  }

  /**
   * Opens a channel with the lowest free number, or with the one that is asked for.
   *
   * @throws UsageError LIMIT_REACHED when no number is free; INVALID_ARGUMENT when the number is taken or out of range.
   */
  open(number: number | undefined): ChannelEngine {
    const channel = new Channel(number === undefined ? this.#lowestFree() : this.#checked(number), this);
    this.#channels[channel.number] = channel;
    return channel;
  }

  /** Takes the frame that the reader stands at, on a channel of the open connection. */
  frame(reader: FrameReader): ConnectionEvent | undefined {
    const channel = this.#channels[reader.channel];
    if (channel !== undefined) return channel.frame(reader);
    this.#strayFrame(reader);
    return undefined;
  }

  /** Where the transport may read to what it brings next, where the reader is inside of a body frame. */
  readTarget(reader: FrameReader): Uint8Array | undefined {
    return this.#channels[reader.channel]?.readTarget(reader);
  }

  requestTimedOut(request: PendingRequest): ChannelClosedEvent | undefined {
    return this.#channels[request.channel]?.requestTimedOut(request);
  }

  /** The connection ended, and every channel with it; by the client, without an error. One is made where somebody is told. */
  connectionClosed(error: ConnectionError | undefined): void {
    let end = error;
    for (const channel of this.#channels) {
      const event = channel?.connectionClosed((end ??= closedByClient()));
      if (event !== undefined) this.events.push(event);
    }
    this.#channels.length = 0;
  }

  #lowestFree(): number {
    const number = this.#numbers.lowest();
    if (number !== undefined) return number;
    throw new UsageError(
      "LIMIT_REACHED",
      `All ${this.#numbers.max} channels of the connection are in use (channelMax)`,
    );
  }

  #checked(number: number): number {
    if (this.#numbers.isFree(number)) return number;
    throw invalid(`Channel number ${number}`, `is in use, or not from 1 to ${this.#numbers.max}`);
  }

  /** A frame on a channel that is not in use. A close is answered, since the server waits for it; nothing else may come. */
  #strayFrame({ type, channel, bytes, start, end }: FrameReader): void {
    if (type !== frameType.method || decodeMethod(bytes, start, end).name !== "channel.close") {
      throw new ProtocolError("CHANNEL_ERROR", `Got a frame on channel ${channel}, which is not open`);
    }
    this.writer.method(channel, "channel.close-ok", {});
  }
}
