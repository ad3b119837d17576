/** The items that recovery brings back: what identifies them, what they need, and which of them are suspect. */

import { bindingKey, consumerKey } from "../recovery/records.ts";
import type { TopologyItem } from "./recovery-options.ts";

/**
 * Items at which the server closed the whole connection. At the second time an item is poison, and is left out until the
 * application makes it again.
 */
export class Suspects {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Whether anything is suspect: then items are tried one after the other, so that only the guilty one is suspected again. */
  get any(): boolean {
    return this.#counts.size > 0;
  }

  isPoison(key: string): boolean {
    return (this.#counts.get(key) ?? 0) > 1;
  }
}

/** Identifies an item, across attempts. */
export function keyOf(item: TopologyItem): string {
  switch (item.kind) {
    case "channel":
      return `channel ${item.channel.id}`;
    case "exchange":
      return `exchange ${item.exchange.name}`;
    case "queue":
      return `queue ${item.queue.name}`;
    case "binding":
      return `binding ${bindingKey(item.binding)}`;
    case "consumer":
      return `consumer ${consumerKey(item.consumer)}`;
  }
}

/** What a connection is closed for where an item is to blame. */
export const methodsOf: Readonly<Record<TopologyItem["kind"], readonly string[]>> = {
  channel: ["channel.open", "confirm.select", "tx.select", "basic.qos"],
  exchange: ["exchange.declare"],
  queue: ["queue.declare"],
  binding: ["queue.bind", "exchange.bind"],
  consumer: ["basic.consume"],
};

/** The queue that an item cannot do without. */
export function neededQueues(item: TopologyItem): string[] {
  if (item.kind === "consumer") return [item.consumer.queue];
  return item.kind === "binding" && item.binding.destinationKind === "queue" ? [item.binding.destination] : [];
}

/** The exchanges that an item cannot do without. */
export function neededExchanges(item: TopologyItem): string[] {
  if (item.kind !== "binding") return [];
  const { source, destination, destinationKind } = item.binding;
  return destinationKind === "exchange" ? [source, destination] : [source];
}
