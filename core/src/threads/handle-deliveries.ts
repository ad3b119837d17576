/** The worker's side of a pool. */

import type { HandlerOptions } from "../client/consumer-options.ts";
import { UsageError } from "../wire/errors.ts";
import { Outstanding } from "./lent-message.ts";
import type { ThreadPort } from "./port.ts";
import { PortGuest } from "./port-guest.ts";
import { channelLane, poolLane, protocolVersion } from "./protocol.ts";
import { type ChannelFacts, greeted } from "./greeting.ts";
import { WorkerChannel } from "./worker-channel.ts";
import { type DeliveryLane, WorkerConsumerDelivery } from "./worker-delivery.ts";
import { WorkerHandlers } from "./worker-handlers.ts";
import type { WorkerScope, WorkerStart } from "./worker-like.ts";
import { packError } from "./pack-errors.ts";

/** Takes a delivery of a pool. `channel` is the worker's own, for publishing and everything else. */
export type PoolHandler = (delivery: WorkerConsumerDelivery, channel: WorkerChannel) => unknown;

/** How a pool's worker settles. */
export interface PoolHandlerOptions {
  /** As of a consumer: `"auto"`, the default, or `"manual"`. */
  readonly settle?: HandlerOptions["settle"];
  /** Whether a message goes back to its queue when its handler throws. Default true. */
  readonly requeue?: boolean | ((error: unknown, delivery: WorkerConsumerDelivery) => boolean) | undefined;
}

/**
 * Makes this worker one of a pool: waits for the pool to send its port, and runs `handler` with each delivery.
 *
 * A pool hands out a worker's next delivery when the handler is done with one: when it returns, or when its promise is
 * fulfilled, settled or not.
 *
 * @param scope - Where the worker's messages arrive: `parentPort` of `node:worker_threads`, elsewhere `self`.
 * @returns the worker's channel, when the pool has sent it.
 */
export async function handleDeliveries(
  scope: WorkerScope | null,
  handler: PoolHandler,
  { settle = "auto", requeue = true }: PoolHandlerOptions = {},
): Promise<WorkerChannel> {
  if (scope === null) throw new UsageError("ILLEGAL_STATE", "This is no worker: it has no parentPort");
  if (typeof handler !== "function") throw new UsageError("INVALID_ARGUMENT", "The handler is not a function");
  const port = await firstPort(scope);
  const guest = new PortGuest(port);
  const channel = await greeted(guest, channelLane, undefined, (facts) => {
    return new WorkerChannel(guest, channelLane, facts as ChannelFacts);
  });
  const outstanding = new Outstanding();
  const lane: DeliveryLane = { guest, lane: poolLane, outstanding, allowsMultiple: false };
  const handlers = new WorkerHandlers({
    handler: (delivery) => handler(delivery, channel),
    concurrency: Infinity,
    settle,
    requeue,
    report: (error) => guest.outbox.post({ type: "report", lane: poolLane, error: packError(error) }),
    taken: () => {},
    done: ({ deliveryTag }) => guest.outbox.post({ type: "done", lane: poolLane, tag: deliveryTag }),
  });
  guest.addLane(poolLane, {
    handle: (item) => {
      if (item.type === "deliver") handlers.push(new WorkerConsumerDelivery(item, lane));
      if (item.type === "lost") outstanding.lose();
    },
    closed: () => outstanding.clear(),
  });
  // The pool sends nothing before.
  guest.outbox.post({ type: "done", lane: poolLane, tag: 0 });
  return channel;
}

function firstPort(scope: WorkerScope): Promise<ThreadPort> {
  return new Promise((resolve) => {
    const listener = ({ data }: { readonly data: Partial<WorkerStart<ThreadPort>> | null }): void => {
      if (typeof data !== "object" || data?.leveretPool !== protocolVersion || data.port === undefined) return;
      scope.removeEventListener("message", listener);
      resolve(data.port);
    };
    scope.addEventListener("message", listener);
  });
}
