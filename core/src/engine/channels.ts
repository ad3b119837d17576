/** The channels of a connection: their numbers, and whose each frame is. */

import { frameType } from "../wire/constants.ts";
import { decodeMethod } from "../wire/decode.ts";
import { DeliverDecoder } from "../wire/deliver-decoder.ts";
import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import { ShortStrings } from "../wire/short-strings.ts";
import { Channel, type ChannelHost } from "./channel.ts";
import type { ChannelEngine } from "./channel-engine.ts";
import { ChannelNumbers } from "./channel-numbers.ts";
import type { ConnectionError } from "./errors.ts";
import type { ChannelClosedEvent, ConnectionEvent } from "./events.ts";
import type { PendingRequest } from "./request.ts";
import { Slab } from "./slab.ts";

/** What the channels need of their connection. */
export type ChannelsHost = Pick<
  ChannelHost,
  "writer" | "limits" | "counters" | "frameByFrame" | "emit" | "requestWritten"
>;

/** The channels that are not closed for both peers. */
export class Channels {
  readonly #channels = new Map<number, Channel>();
  readonly #host: ChannelHost;
  #numbers = new ChannelNumbers(0);
  #max = 0;
  /** Whose frame came last: mostly the next one is its too. */
  #latest: Channel | undefined;

  constructor(host: ChannelsHost) {
    const strings = new ShortStrings();
    const { writer, limits, counters, frameByFrame, emit, requestWritten } = host;
    this.#host = {
      writer,
      limits,
      counters,
      frameByFrame,
      emit,
      requestWritten,
      slab: new Slab(),
      strings,
      delivers: new DeliverDecoder(strings),
      numberFreed: (number) => {
        this.#channels.delete(number);
        this.#latest = undefined;
        this.#numbers.release(number);
      },
    };
  }

  /** The highest channel number was negotiated. */
  limit(channelMax: number): void {
    this.#max = channelMax;
    this.#numbers = new ChannelNumbers(channelMax);
  }

  /** The channel with that number, unless the number is free. */
  get(number: number): ChannelEngine | undefined {
    return this.#channels.get(number);
  }

  /**
   * Opens a channel with the lowest free number, or with the one that is asked for.
   *
   * @throws UsageError LIMIT_REACHED when no number is free; INVALID_ARGUMENT when the number is taken or out of range.
   */
  open(number: number | undefined): ChannelEngine {
    const channel = new Channel(number === undefined ? this.#lowestFree() : this.#claim(number), this.#host);
    this.#channels.set(channel.number, channel);
    return channel;
  }

  /** Takes the frame that the reader stands at, on a channel of the open connection. */
  frame(reader: FrameReader): ConnectionEvent | undefined {
    const latest = this.#latest;
    if (latest !== undefined && latest.number === reader.channel) return latest.frame(reader);
    const channel = this.#channels.get(reader.channel);
    this.#latest = channel;
    if (channel !== undefined) return channel.frame(reader);
    this.#strayFrame(reader);
    return undefined;
  }

  requestTimedOut(request: PendingRequest): ChannelClosedEvent | undefined {
    return this.#channels.get(request.channel)?.requestTimedOut(request);
  }

  /** The connection ended, and every channel with it. */
  connectionClosed(error: ConnectionError): void {
    for (const channel of this.#channels.values()) {
      const event = channel.connectionClosed(error);
      if (event !== undefined) this.#host.emit(event);
    }
    this.#channels.clear();
    this.#latest = undefined;
  }

  #lowestFree(): number {
    const number = this.#numbers.take();
    if (number !== undefined) return number;
    throw new UsageError("LIMIT_REACHED", `All ${this.#max} channels of the connection are in use (channelMax)`);
  }

  #claim(number: number): number {
    if (this.#numbers.claim(number)) return number;
    throw new UsageError("INVALID_ARGUMENT", `Channel number ${number} is in use, or not from 1 to ${this.#max}`);
  }

  /** A frame on a channel that is not in use. A close is answered, since the server waits for it; nothing else may come. */
  #strayFrame({ type, channel, bytes, start, end }: FrameReader): void {
    if (type !== frameType.method || decodeMethod(bytes, start, end).name !== "channel.close") {
      throw new ProtocolError("CHANNEL_ERROR", `Got a frame on channel ${channel}, which is not open`);
    }
    this.#host.writer.method(channel, "channel.close-ok", {});
  }
}
