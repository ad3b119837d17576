/** Declaring, binding and deleting exchanges. */

import type { Conversation } from "../conversation.ts";
import { declarations } from "./declarations.ts";
import { withChannel } from "./openings.ts";

const direct = { exchange: "x", type: "direct", durable: true };

export const exchangeConversations: readonly Conversation[] = [
  declarations(
    "exchange.declare: the same again",
    ["exchange.declare", direct],
    ["exchange.declare", direct],
    ["exchange.declare", { ...direct, type: "fanout" }],
    ["exchange.declare", { ...direct, durable: false }],
    ["exchange.declare", { ...direct, autoDelete: true }],
    ["exchange.declare", { ...direct, internal: true }],
    ["exchange.declare", { ...direct, arguments: { "alternate-exchange": "ae" } }],
    ["exchange.declare", { ...direct, arguments: { other: 1 } }],
    ["exchange.declare", { exchange: "x", type: "", passive: true }],
  ),
  declarations("exchange.declare: an unknown type", ["exchange.declare", { exchange: "x", type: "nonsense" }]),
  declarations("exchange.declare: an empty type", ["exchange.declare", { exchange: "x", type: "" }]),
  declarations(
    "exchange.declare: reserved names",
    ["exchange.declare", { exchange: "amq.foo", type: "direct" }],
    ["exchange.declare", { exchange: "amq.direct", type: "direct", durable: true }],
    ["exchange.declare", { exchange: "amq.direct", type: "direct" }],
    ["exchange.declare", { exchange: "", type: "direct" }],
    ["exchange.declare", { exchange: "", type: "", passive: true }],
    ["exchange.declare", { exchange: "missing", type: "", passive: true }],
    ["exchange.declare", { exchange: "amq.missing", type: "", passive: true }],
  ),
  declarations(
    "exchange.declare: alternate exchanges",
    ["exchange.declare", { ...direct, arguments: { "alternate-exchange": "ae" } }],
    ["exchange.declare", { ...direct, arguments: { "alternate-exchange": "other" } }],
    ["exchange.declare", { exchange: "x2", type: "direct", arguments: { "alternate-exchange": 1 } }],
    ["exchange.declare", { exchange: "x3", type: "direct", arguments: { "alternate-exchange": null } }],
  ),
  declarations(
    "exchange.declare: line ends are stripped",
    ["exchange.declare", { exchange: "a\r\nb", type: "direct" }],
    ["exchange.declare", { exchange: "ab", type: "", passive: true }],
    ["exchange.delete", { exchange: "ab" }],
  ),
  declarations(
    "exchange.delete",
    ["exchange.delete", { exchange: "missing" }],
    ["exchange.delete", { exchange: "amq.direct" }],
    ["exchange.delete", { exchange: "amq.missing" }],
    ["exchange.delete", { exchange: "" }],
    ["exchange.declare", direct],
    ["queue.declare", { queue: "q", exclusive: true }],
    ["queue.bind", { queue: "q", exchange: "x", routingKey: "k" }],
    ["exchange.delete", { exchange: "x", ifUnused: true }],
    ["exchange.delete", { exchange: "x" }],
  ),
  declarations(
    "exchange.bind and unbind",
    ["exchange.declare", direct],
    ["exchange.declare", { exchange: "y", type: "fanout" }],
    ["exchange.bind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.unbind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.unbind", { source: "x", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "x", destination: "missing", routingKey: "k" }],
    ["exchange.bind", { source: "missing", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "none", destination: "missing", routingKey: "k" }],
    ["exchange.unbind", { source: "missing", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "", destination: "y", routingKey: "k" }],
    ["exchange.bind", { source: "x", destination: "", routingKey: "k" }],
    ["exchange.unbind", { source: "", destination: "y", routingKey: "k" }],
  ),
  {
    name: "exchange: auto-delete ends with its last binding as a source",
    run: async (talk) => {
      const a = await withChannel(talk);
      await a.call(1, "exchange.declare", { exchange: "ad", type: "fanout", autoDelete: true });
      await a.call(1, "exchange.declare", { exchange: "up", type: "fanout", autoDelete: true });
      await a.call(1, "exchange.bind", { source: "up", destination: "ad", routingKey: "" });
      await a.call(1, "queue.declare", { queue: "q", exclusive: true });
      await a.call(1, "queue.bind", { queue: "q", exchange: "ad", routingKey: "" });
      await a.call(1, "queue.delete", { queue: "q" });
      await a.call(1, "exchange.declare", { exchange: "ad", type: "", passive: true });
      await a.open(2);
      await a.call(2, "exchange.declare", { exchange: "up", type: "", passive: true });
    },
  },
];
