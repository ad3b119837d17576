/** What tests of consumers begin with: one whose handlers the test holds. */

import type { Channel } from "../channel.ts";
import type { Consumer } from "../consumer.ts";
import type { HandlerOptions } from "../consumer-options.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import { Future } from "../futures.ts";
import { type Fixture, settled, withChannel } from "./fixture.ts";

/** The body of a delivery as text. */
export const text = (delivery: ConsumerDelivery | undefined): string => new TextDecoder().decode(delivery?.body);

export interface Consuming extends Fixture {
  readonly channel: Channel;
  readonly consumer: Consumer;
  /** What was handed out, in order. */
  readonly got: ConsumerDelivery[];
  /** What `callback-error` told. */
  readonly reports: unknown[];
  /** Ends one of the calls of the handler, by the place of its message in `got`. */
  readonly finish: (index: number, error?: Error) => Promise<void>;
}

/** A consumer of the tag `t`, whose calls of its handler end when the test says so, where `handler` does not. */
export async function consuming(
  options: Partial<HandlerOptions> = {},
  handler?: (delivery: ConsumerDelivery) => unknown,
): Promise<Consuming> {
  const fixture = await withChannel();
  const { io, channel, connection } = fixture;
  const got: ConsumerDelivery[] = [];
  const running: Future<void>[] = [];
  const reports: unknown[] = [];
  connection.on("callback-error", ({ error }) => reports.push(error));
  const consumer = await settled(
    io,
    channel.basicConsume({ queue: "q", consumerTag: "t", ...options }, (delivery) => {
      got.push(delivery);
      if (handler !== undefined) return handler(delivery);
      const future = new Future<void>();
      running.push(future);
      return future.promise;
    }),
  );
  fixture.server.sent.length = 0;
  const finish = async (index: number, error?: Error): Promise<void> => {
    if (error === undefined) running[index]?.resolve();
    else running[index]?.fail(() => error);
    await io.settle();
  };
  return { ...fixture, consumer, got, reports, finish };
}
