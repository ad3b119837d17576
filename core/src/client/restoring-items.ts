/** The items that recovery brings back: what identifies them, and what they need. */

import { bindingKey, consumerKey } from "../recovery/records.ts";
import type { TopologyItem } from "./recovery-options.ts";

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
