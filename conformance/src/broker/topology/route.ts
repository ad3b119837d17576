/** Where a message goes: through bindings, from exchange to exchange, and to alternate exchanges. */

import type { Message } from "../message.ts";
import type { Queue } from "../queues/queue.ts";
import type { Destination, Exchange } from "./exchange.ts";

/** What routing looks names up in. */
export interface RoutingTopology {
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly queues: ReadonlyMap<string, Queue>;
}

/**
 * The queues that take a message, each once.
 *
 * @param routingKeys - The message's own key, and those of its CC and BCC headers.
 */
export function route(
  topology: RoutingTopology,
  exchange: Exchange,
  routingKeys: readonly string[],
  message: Message,
): ReadonlySet<Queue> {
  const queues = new Set<Queue>();
  const seen = new Set<Exchange>([exchange]);
  const waiting: Exchange[] = [exchange];
  const visit = (next: Exchange | undefined): void => {
    if (next === undefined || seen.has(next)) return;
    seen.add(next);
    waiting.push(next);
  };
  for (let current = waiting.pop(); current !== undefined; current = waiting.pop()) {
    let matched = false;
    const found = (destination: Destination): void => {
      matched = true;
      if (destination.kind === "queue") queues.add(destination);
      else visit(destination);
    };
    for (const key of routingKeys) match(topology, current, key, message, found);
    if (!matched && current.alternate !== undefined) visit(topology.exchanges.get(current.alternate));
  }
  return queues;
}

function match(
  topology: RoutingTopology,
  exchange: Exchange,
  key: string,
  message: Message,
  found: (destination: Destination) => void,
): void {
  if (exchange.name !== "") return exchange.table.match(key, message, found);
  // The default exchange has no bindings: every queue is bound to it under its own name.
  const queue = topology.queues.get(key);
  if (queue !== undefined) found(queue);
}
