/** A channel and its other end in one thread, and how to wait for both. */

import type { Channel } from "../../client/channel.ts";
import { type Fixture, withChannel } from "../../client/testing/fixture.ts";
import type { VirtualIo } from "../../client/testing/virtual-io.ts";
import { serveChannel, type ServedChannel } from "../serve.ts";
import { workerChannel, type WorkerChannel } from "../worker-channel.ts";

export interface Apart extends Fixture {
  readonly channel: Channel;
  readonly served: ServedChannel;
  readonly worker: WorkerChannel;
}

/** A channel, and its other end; both in this thread. */
export async function apart(): Promise<Apart> {
  const fixture = await withChannel();
  const { port1, port2 } = new MessageChannel();
  const [served, worker] = await Promise.all([serveChannel(fixture.channel, port1), workerChannel(port2)]);
  return { ...fixture, served, worker };
}

/** Lets both ends go on until something is so. */
export async function until(io: VirtualIo, isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn += 1) {
    if (turn === 1000) throw new Error("It did not come about");
    await io.settle();
  }
}

export async function result<T>(io: VirtualIo, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settledNow = (): void => void (isSettled = true);
  promise.then(settledNow, settledNow);
  await until(io, () => isSettled);
  return promise;
}

/** Listeners that fail when they are told, but no more than a hundred times, so that it comes to an end whatever is told. */
export const failingListeners: [string, (reports: string[], who: string) => unknown][] = [
  [
    "at once",
    (reports, who) => {
      if (reports.push(who) < 100) throw new Error(`${who} failed as well`);
    },
  ],
  [
    "later",
    async (reports, who) => {
      reports.push(who);
      await Promise.resolve();
      if (reports.length < 100) throw new Error(`${who} failed as well`);
    },
  ],
];
