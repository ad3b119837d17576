/** Which methods may be asked of a channel: the types of channel-engine.ts, for callers whose types were not checked. */

import type { MethodDefinition } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import type { ChannelRequestName, OneWayName } from "./channel-engine.ts";

/** Opening and closing have commands of their own, and connection methods are not a channel's. */
const reserved: ReadonlySet<string> = new Set(["channel.open", "channel.close"]);

/** The requests that may be made on a channel. */
export const channelRequests: readonly ChannelRequestName[] = Object.entries<MethodDefinition>(methods)
  .filter(([name, { from, replies }]) => from !== "server" && replies !== undefined && !reserved.has(name))
  .map(([name]) => name as ChannelRequestName)
  .filter((name) => !name.startsWith("connection."));

const requests: ReadonlySet<string> = new Set(channelRequests);

const settlements: ReadonlySet<string> = new Set(["basic.ack", "basic.nack", "basic.reject", "basic.recover-async"]);

/** Whether a method is a request that may be made on a channel. */
export function isChannelRequest(method: string): method is ChannelRequestName {
  return requests.has(method);
}

/** Whether a method is one that a client sends on a channel, and that is never answered. */
export function isNeverAnswered(method: string): method is Exclude<OneWayName, ChannelRequestName> {
  return settlements.has(method);
}
