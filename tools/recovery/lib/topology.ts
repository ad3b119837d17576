/** What the applications of a run declare. */

import type { Connection } from "@leveret/node";

/** Where everything is published to. */
export const exchange = "recovery-run";

/** A durable queue of a run. */
export interface QueuePlan {
  readonly queue: string;
  /** A quorum queue, where there is a cluster; else a classic one. */
  readonly quorum: boolean;
  /**
   * Whether its messages are to be consumed in order. A server that has not noticed the end of a connection yet has two
   * consumers for a while, the old one and the new one, and shares messages out to both, unless one of them has to wait.
   */
  readonly inOrder: boolean;
}

/** Declares a queue, and binds it by its name. */
export async function declareQueue(connection: Connection, { queue, quorum, inOrder }: QueuePlan): Promise<void> {
  const channel = await connection.openChannel();
  await channel.exchangeDeclare({ exchange, type: "direct", durable: true });
  await channel.queueDeclare({
    queue,
    durable: true,
    // Without a limit: a message that comes back often is not a message to throw away here.
    arguments: {
      ...(quorum ? { "x-queue-type": "quorum", "x-delivery-limit": -1 } : {}),
      ...(inOrder ? { "x-single-active-consumer": true } : {}),
    },
  });
  await channel.queueBind({ queue, exchange, routingKey: queue });
}
