/** Workloads as something that can be repeated, over a driver. */

import type { Assignment } from "./assignment.ts";
import type { Broker, Driver, Session, Slice, Stopwatch } from "./drivers/driver.ts";
import { deliveryQueue, getQueue } from "./messages.ts";
import type { Work } from "./workloads.ts";

/** A workload that is ready to go. */
export interface Prepared {
  readonly slice: Slice;
  close(): Promise<void>;
}

/** @throws Error when the driver cannot do it. */
export async function prepare(driver: Driver, broker: Broker, work: Work, stopwatch: Stopwatch): Promise<Prepared> {
  if (work.kind === "connect") return { slice: connectAndClose(driver, broker, work), close: async () => {} };
  const session = await driver.connect(broker, work.shape);
  const slice = await sliceOf(session, work, stopwatch);
  if (slice === undefined) throw new Error(`the driver has nothing for ${work.kind}`);
  return { slice, close: () => session.close() };
}

function sliceOf(session: Session, work: Exclude<Work, { kind: "connect" }>, stopwatch: Stopwatch) {
  switch (work.kind) {
    case "publish":
      return session.publish?.(work);
    case "confirm":
      return session.confirm?.(work, stopwatch);
    case "consume":
      return session.consume?.(work);
    case "ack":
      return session.ack?.(work);
    case "get":
      return session.get?.(work, stopwatch);
    case "rpc":
      return session.rpc?.(work, stopwatch);
    case "topology":
      return session.topology?.(work);
    case "channels":
      return session.openChannel === undefined ? undefined : openAndClose(session, work.together);
  }
}

function connectAndClose(driver: Driver, broker: Broker, { shape }: Work): Slice {
  return async (count) => {
    for (let done = 0; done < count; done += 1) {
      const session = await driver.connect(broker, shape);
      await session.close();
    }
  };
}

function openAndClose(session: Session, together: boolean): Slice {
  const open = async (): Promise<() => Promise<unknown>> => {
    const close = await session.openChannel?.();
    if (close === undefined) throw new Error("the driver opens no channels");
    return close;
  };
  return async (count) => {
    const closers: (() => Promise<unknown>)[] = [];
    if (together) closers.push(...(await Promise.all(Array.from({ length: count }, open))));
    else for (let done = 0; done < count; done += 1) closers.push(await open());
    if (together) await Promise.all(closers.map((close) => close()));
    else for (const close of closers) await close();
  };
}

/** What the driver is told of its broker. */
export function brokerOf({ broker, task }: Assignment): Broker {
  const queues = [...(broker.queues ?? [])];
  const gets = "work" in task && task.work.kind === "get";
  let published = 0;
  return {
    port: broker.port,
    nextQueue: (shape, count, consumers) => {
      if (broker.kind === "null") return gets ? getQueue(shape) : deliveryQueue(shape, count, consumers);
      const queue = queues.shift();
      if (queue === undefined) throw new Error("no more queues are filled");
      return queue;
    },
    checkPublished: (count, messageCount) => {
      published += count;
      // RabbitMQ's queue has a limit; who started the run looks into it at the end.
      if (broker.kind === "null" && messageCount !== published) {
        throw new Error(`the broker got ${messageCount} messages of ${published}`);
      }
    },
  };
}
