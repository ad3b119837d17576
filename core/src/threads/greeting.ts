/** What the thread with the connection says first. */

import type { ChannelState } from "../client/channel-host.ts";
import { AbortError } from "../client/errors.ts";
import { Future, onAbort } from "../client/futures.ts";
import { unpack } from "./pack.ts";
import type { PortGuest } from "./port-guest.ts";

/** What a worker has to know of a channel to begin with. */
export interface ChannelFacts {
  readonly number: number;
  readonly mode: "plain" | "confirm" | "tx";
  readonly state: ChannelState;
}

/** Starts to listen, and makes something of the first item of a lane. */
export async function greeted<T>(
  guest: PortGuest,
  lane: number,
  signal: AbortSignal | undefined,
  make: (facts: unknown) => T,
): Promise<T> {
  const greeting = new Future<T>();
  guest.addLane(lane, {
    handle: (item) => {
      if (item.type === "hello") greeting.resolve(make(unpack(item.facts)));
    },
    closed: (error) => greeting.fail(() => error),
  });
  const stopListening = signal && onAbort(signal, () => greeting.fail(() => new AbortError(signal.reason, "not-sent")));
  if (signal?.aborted === true) greeting.fail(() => new AbortError(signal.reason, "not-sent"));
  guest.start();
  try {
    return await greeting.promise;
  } finally {
    stopListening?.();
  }
}
