/**
 * The phases of a connection and of a channel, as data: which method may arrive in which phase, and where it leads.
 *
 * A method that a table does not name is the peer's fault in that phase. The diagram in docs/state-machine.md is
 * generated from these tables, and a test keeps it current.
 */

import type { ServerMethodName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import { channelRequests } from "./channel-methods.ts";

/** The phases of a connection. The first three are the handshake. */
export type ConnectionPhase = "header" | "sasl" | "opening" | "open" | "closing" | "closed";

/** The phases of a channel. */
export type ChannelPhase = "opening" | "open" | "closing" | "closed";

/** What may arrive in each phase, and the phase it leads to. */
export type PhaseTable<Phase extends string> = Readonly<
  Record<Phase, Readonly<Partial<Record<ServerMethodName, Phase>>>>
>;

/** What a client does that changes a phase, for the diagram: the rest follows from what arrives. */
export type CommandTable<Phase extends string> = Readonly<Partial<Record<Phase, Readonly<Record<string, Phase>>>>>;

/** What may arrive on channel 0. */
export const connectionPhases: PhaseTable<ConnectionPhase> = {
  // The protocol header was sent. A proxy without a server to talk to may close here already.
  header: { "connection.start": "sasl", "connection.close": "closed" },
  // connection.start-ok was sent. A server refuses a login with connection.close, without tuning first.
  sasl: { "connection.secure": "sasl", "connection.tune": "opening", "connection.close": "closed" },
  // connection.tune-ok and connection.open were sent, in one write.
  opening: { "connection.open-ok": "open", "connection.close": "closed" },
  open: {
    "connection.blocked": "open",
    "connection.unblocked": "open",
    "connection.update-secret-ok": "open",
    "connection.close": "closed",
  },
  // connection.close was sent. Both sides may have sent theirs at the same time; then both answer.
  closing: { "connection.close-ok": "closed", "connection.close": "closing" },
  closed: {},
};

/** What a client does to a connection. */
export const connectionCommands: CommandTable<ConnectionPhase> = {
  header: { "close()": "closed" },
  sasl: { "close()": "closed" },
  opening: { "close()": "closed" },
  open: { "close()": "closing" },
};

/** The answers to what may be asked of an open channel. */
const channelReplies: Partial<Record<ServerMethodName, "open">> = Object.fromEntries(
  channelRequests.flatMap((request) => methods[request].replies).map((reply) => [reply, "open"]),
);

/** What may arrive on a channel. Replies lead nowhere by themselves: whether one is due is the request queue's business. */
export const channelPhases: PhaseTable<ChannelPhase> = {
  opening: { "channel.open-ok": "open", "channel.close": "closed" },
  open: {
    "basic.deliver": "open",
    "basic.return": "open",
    "basic.ack": "open",
    "basic.nack": "open",
    "basic.cancel": "open",
    "channel.flow": "open",
    "channel.close": "closed",
    ...channelReplies,
  },
  // channel.close was sent. Returns and confirms still tell the truth about publishes; everything else is discarded.
  closing: {
    "channel.close-ok": "closed",
    "channel.close": "closing",
    "basic.return": "closing",
    "basic.ack": "closing",
    "basic.nack": "closing",
  },
  closed: {},
};

/** What a client does to a channel. A close while it is opening waits for open-ok. */
export const channelCommands: CommandTable<ChannelPhase> = {
  closed: { "openChannel()": "opening" },
  open: { "close()": "closing" },
};

/** The phase that a method leads to, or `undefined` where it may not arrive. */
export function nextPhase<Phase extends string>(
  table: PhaseTable<Phase>,
  phase: Phase,
  method: string,
): Phase | undefined {
  return (table[phase] as Readonly<Record<string, Phase | undefined>>)[method];
}
