/** What a channel's machine is lent by its connection. */

import type { DeliverDecoder } from "../wire/deliver-decoder.ts";
import type { ShortStrings } from "../wire/short-strings.ts";
import type { EngineLimits } from "./config.ts";
import type { Deque } from "./deque.ts";
import type { ConnectionEvent } from "./events.ts";
import type { FrameWriter, MutableCounters } from "./frame-writer.ts";
import type { PendingRequest } from "./request.ts";
import type { Slab } from "./slab.ts";

/** What all parts of an engine share. */
export interface EngineParts {
  readonly writer: FrameWriter;
  readonly limits: EngineLimits;
  readonly counters: MutableCounters;
  /** Whether somebody wants to see every frame, so that no short cut past the reader is taken. */
  readonly frameByFrame: boolean;
  /** Those that wait to be handed over. */
  readonly events: Deque<ConnectionEvent>;
}

/** What a channel needs of its connection. */
export interface ChannelHost extends EngineParts {
  readonly slab: Slab;
  readonly strings: ShortStrings;
  readonly delivers: DeliverDecoder;
  /** A request that will be answered was put into the output: its time runs. */
  requestWritten(request: PendingRequest): void;
  /** Both peers agree that the channel is closed. */
  numberFreed(number: number): void;
}
