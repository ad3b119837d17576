/** The class exchange. */

import { describe, Refusal } from "../failures.ts";
import { lookup, textValue } from "../codec/fields.ts";
import type { Fields as TypedFields } from "../codec/fields.ts";
import { checkMatchKind } from "../routing/headers.ts";
import { wordsOf } from "../routing/topic.ts";
import {
  checkExchangeMayGo,
  checkExchangeType,
  checkNotDefaultExchange,
  declareExchange,
} from "../topology/declarations.ts";
import type { Exchange } from "../topology/exchange.ts";
import type { Channel } from "./channel.ts";
import { type Handlers, stripLineEnds } from "./methods.ts";

export const exchangeMethods: Handlers = {
  "exchange.declare": (channel, fields, table) => {
    const { user, virtualHost } = channel.owner;
    const name = stripLineEnds(fields.exchange);
    if (fields.passive) {
      checkNotDefaultExchange(name);
      virtualHost.exchange(name);
    } else {
      checkExchangeType(fields.type, virtualHost);
      checkNotDefaultExchange(name);
      user.check("configure", "exchange", name, virtualHost.name);
      const { type, durable, autoDelete, internal } = fields;
      declareExchange(virtualHost, { name, type, durable, autoDelete, internal, arguments: table }, () => {
        user.check("read", "exchange", name, virtualHost.name);
        const alternate = textValue(lookup(table, "alternate-exchange")) ?? "";
        user.check("write", "exchange", alternate, virtualHost.name);
      });
    }
    if (!fields.noWait) channel.send("exchange.declare-ok", {});
  },

  "exchange.delete": (channel, fields) => {
    const { user, virtualHost } = channel.owner;
    const name = stripLineEnds(fields.exchange);
    checkNotDefaultExchange(name);
    checkExchangeMayGo(name, virtualHost);
    user.check("configure", "exchange", name, virtualHost.name);
    const exchange = virtualHost.exchanges.get(name);
    if (exchange !== undefined) {
      if (fields.ifUnused && exchange.outbound.size > 0) {
        throw new Refusal("PRECONDITION_FAILED", `${describe("exchange", name, virtualHost.name)} in use`);
      }
      virtualHost.deleteExchange(exchange);
    }
    if (!fields.noWait) channel.send("exchange.delete-ok", {});
  },

  "exchange.bind": (channel, fields, table) => {
    const { virtualHost } = channel.owner;
    const { source, destination } = endsOf(channel, fields);
    const from = virtualHost.exchange(source);
    const to = virtualHost.exchange(destination);
    checkBinding(from, fields.routingKey, table, channel);
    virtualHost.bind(from, to, fields.routingKey, table);
    if (!fields.noWait) channel.send("exchange.bind-ok", {});
  },

  "exchange.unbind": (channel, fields, table) => {
    const { virtualHost } = channel.owner;
    const { source, destination } = endsOf(channel, fields);
    const from = virtualHost.exchanges.get(source);
    const to = virtualHost.exchanges.get(destination);
    if (from !== undefined && to !== undefined) virtualHost.unbind(from, to, fields.routingKey, table);
    if (!fields.noWait) channel.send("exchange.unbind-ok", {});
  },
};

/**
 * Checks what the type of an exchange asks of a binding.
 *
 * @throws Refusal PRECONDITION_FAILED
 */
export function checkBinding(source: Exchange, routingKey: string, table: TypedFields, { owner }: Channel): void {
  if (source.type === "headers") checkMatchKind(table);
  if (source.type !== "topic") return;
  const { maxTopicHashes } = owner.virtualHost.profile;
  const hashes = wordsOf(routingKey).filter((word) => word === "#").length;
  if (hashes <= maxTopicHashes) return;
  throw new Refusal(
    "PRECONDITION_FAILED",
    `topic binding key '${routingKey}' has ${hashes} '#' wildcards, at most ${maxTopicHashes} are allowed`,
  );
}

function endsOf(
  channel: Channel,
  fields: { readonly source: string; readonly destination: string },
): { readonly source: string; readonly destination: string } {
  const { user, virtualHost } = channel.owner;
  const source = stripLineEnds(fields.source);
  const destination = stripLineEnds(fields.destination);
  user.check("write", "exchange", destination, virtualHost.name);
  user.check("read", "exchange", source, virtualHost.name);
  checkNotDefaultExchange(destination);
  checkNotDefaultExchange(source);
  return { source, destination };
}
