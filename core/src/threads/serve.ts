/** Serving a channel to another thread. */

import { Channel } from "../client/channel.ts";
import type { Connection } from "../client/connection.ts";
import { dropped, Listeners, type Report, reporting } from "../client/listeners.ts";
import { UsageError } from "../wire/errors.ts";
import { ChannelService } from "./channel-service.ts";
import type { LendingWindow } from "./lending.ts";
import type { ThreadPort } from "./port.ts";
import { type PortEnd, PortHost } from "./port-host.ts";
import { channelLane } from "./protocol.ts";
import type { ThreadError } from "./thread-error.ts";

/** How much may be on its way to another thread, unless it is told. */
export const defaultWindow: LendingWindow = { deliveries: 256, bytes: 8 * 1024 * 1024 };

/** Options of serving. */
export interface ServeOptions {
  /** Deliveries of one consumer that its handlers in the other thread have not taken yet, at most. Default 256. */
  readonly maxDeliveries?: number | undefined;
  /** Bytes of their bodies, at most; one message may exceed it. Default 8 MiB. */
  readonly maxDeliveryBytes?: number | undefined;
}

/** What the listeners of a served channel are given. */
export interface ServedChannelEvents {
  /** A handler, or a listener, in the other thread threw. It goes on. */
  readonly "callback-error": { readonly error: unknown };
  /** Serving is over. */
  readonly closed: PortEnd;
}

/** A channel that another thread uses. It stays usable here. */
export class ServedChannel {
  /** The channel itself. */
  readonly channel: Channel;
  readonly #host: PortHost;
  readonly #service: ChannelService;
  readonly #report: Report = reporting((failure) => this.#listeners.emit("callback-error", failure, dropped));
  readonly #listeners = new Listeners<ServedChannelEvents>(this.#report);

  /** @internal */
  constructor(channel: Channel, port: ThreadPort, options: ServeOptions, after: () => Promise<void>) {
    this.channel = channel;
    this.#host = new PortHost(port);
    this.#service = new ChannelService(channel, channelLane, this.#host.outbox, {
      window: windowOf(options),
      report: this.#report,
    });
    this.#host.addLane(channelLane, {
      handle: (item) => this.#service.handle(item),
      release: async () => {
        const requeued = await this.#service.release();
        await after();
        return requeued;
      },
    });
    this.#host.greet(channelLane, this.#service.facts);
    void this.#host.closed.then((end) => this.#listeners.emit("closed", end));
  }

  /** Messages that the other thread has, and has not settled. */
  get outstanding(): number {
    return this.#service.outstanding;
  }

  /**
   * Resolves when serving is over: by {@link close}, or because the other thread closed the port, or is gone, which the
   * `error` tells. Never rejects. Messages that were outstanding there are back in their queue then.
   */
  get closed(): Promise<PortEnd> {
    return this.#host.closed;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof ServedChannelEvents>(
    name: Name,
    listener: (value: ServedChannelEvents[Name]) => unknown,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /**
   * Stops serving: the consumers of the other thread are cancelled, and what is outstanding there goes back to its
   * queue. Calls under way there reject. A channel of yours stays open.
   *
   * @param error - Why, for whoever waits for {@link closed}: such as what a worker died of.
   */
  close(error?: ThreadError): Promise<PortEnd> {
    return this.#host.close(error);
  }
}

/**
 * Lets another thread use a channel, through a port whose other end is given to `workerChannel` there. With a connection
 * in place of a channel, the other thread gets a channel of its own, which is closed when it is gone.
 *
 * The connection stays in this thread, which answers heartbeats whatever the other one computes.
 *
 * @throws UsageError for options that make no sense; what `openChannel` throws.
 */
export async function serveChannel(
  from: Channel | Connection,
  port: ThreadPort,
  options: ServeOptions = {},
): Promise<ServedChannel> {
  windowOf(options);
  if (from instanceof Channel) return new ServedChannel(from, port, options, async () => {});
  const channel = await from.openChannel();
  return new ServedChannel(channel, port, options, () => channel.close());
}

/** @throws UsageError */
export function windowOf({ maxDeliveries, maxDeliveryBytes }: ServeOptions): LendingWindow {
  const deliveries = maxDeliveries ?? defaultWindow.deliveries;
  const bytes = maxDeliveryBytes ?? defaultWindow.bytes;
  for (const [name, value] of Object.entries({ maxDeliveries: deliveries, maxDeliveryBytes: bytes })) {
    if (typeof value !== "number" || !(value >= 1)) {
      throw new UsageError("INVALID_ARGUMENT", `${name} is a positive number, not ${String(value)}`);
    }
  }
  return { deliveries, bytes };
}
