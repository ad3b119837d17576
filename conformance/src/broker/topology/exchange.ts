/** Exchanges: what one is, and the routing table that its type gives it. */

import { type Fields, lookup, textValue } from "../codec/fields.ts";
import type { Profile } from "../profile.ts";
import type { Queue } from "../queues/queue.ts";
import type { Binding, RoutingTable } from "../routing/binding.ts";
import { DirectTable } from "../routing/direct.ts";
import { FanoutTable } from "../routing/fanout.ts";
import { HeadersTable } from "../routing/headers.ts";
import { TopicTable } from "../routing/topic.ts";

/** The exchange types that there are. */
const exchangeTypes = ["direct", "fanout", "topic", "headers"] as const;
export type ExchangeType = (typeof exchangeTypes)[number];

export function isExchangeType(type: string): type is ExchangeType {
  return (exchangeTypes as readonly string[]).includes(type);
}

/** What an exchange leads to. */
export type Destination = Queue | Exchange;

/** A binding, seen from both ends. */
export interface TopologyBinding extends Binding<Destination> {
  readonly source: Exchange;
}

/** What a declaration says about an exchange. */
export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Fields;
}

/** An exchange of a virtual host. */
export class Exchange {
  readonly kind = "exchange";
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Fields;
  /** Where messages go that no binding takes. It need not exist. */
  readonly alternate: string | undefined;
  readonly table: RoutingTable<Destination>;
  /** The bindings from this exchange, by destination, then by identity. */
  readonly outbound: Map<Destination, Map<string, TopologyBinding>> = new Map();
  /** The bindings to this exchange. */
  readonly inbound: Set<TopologyBinding> = new Set();

  constructor(declaration: ExchangeDeclaration, profile: Profile) {
    this.name = declaration.name;
    this.type = declaration.type;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.internal = declaration.internal;
    this.arguments = declaration.arguments;
    this.alternate = textValue(lookup(declaration.arguments, "alternate-exchange"));
    this.table = createTable(declaration.type, profile);
  }
}

function createTable(type: ExchangeType, profile: Profile): RoutingTable<Destination> {
  switch (type) {
    case "direct":
      return new DirectTable();
    case "fanout":
      return new FanoutTable();
    case "topic":
      return new TopicTable();
    case "headers":
      return new HeadersTable({
        looseNumbers: profile.headersLooseNumbers,
        timesInMilliseconds: profile.headersTimesInMilliseconds,
      });
  }
}

/** The exchanges that every virtual host has. The first one leads to every queue by its name. */
export const predeclaredExchanges: readonly ExchangeDeclaration[] = [
  predeclared("", "direct"),
  predeclared("amq.direct", "direct"),
  predeclared("amq.fanout", "fanout"),
  predeclared("amq.topic", "topic"),
  predeclared("amq.headers", "headers"),
  predeclared("amq.match", "headers"),
  { ...predeclared("amq.rabbitmq.trace", "topic"), internal: true },
];

function predeclared(name: string, type: ExchangeType): ExchangeDeclaration {
  return { name, type, durable: true, autoDelete: false, internal: false, arguments: [] };
}
