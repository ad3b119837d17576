/** What handles a method: one function for each that a client may send on a channel. */

import type { ClientMethodName, Fields } from "@leveret/core/wire";
import type { Fields as TypedFields } from "../codec/fields.ts";
import type { Channel } from "./channel.ts";

/**
 * Handles one method.
 *
 * @param table - Its table, with types; empty where the method has none.
 */
export type Handler<M extends ClientMethodName> = (channel: Channel, fields: Fields<M>, table: TypedFields) => void;

/** Handlers by method. */
export type Handlers = { readonly [M in ClientMethodName]?: Handler<M> };

/** RabbitMQ strips line ends from names. */
export function stripLineEnds(name: string): string {
  return name.replace(/[\r\n]/g, "");
}
