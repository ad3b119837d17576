/** What tests of recovery begin with: a connection that recovers, and servers that come one after the other. */

import type { Channel } from "../channel.ts";
import { connect } from "../connect.ts";
import type { Connection } from "../connection.ts";
import type { ConnectionEvents } from "../connection-events.ts";
import type { ConnectOptions } from "../parameters.ts";
import { type FakeServer, serve } from "./fake-server.ts";
import { bytes, settled } from "./fixture.ts";
import { VirtualIo } from "./virtual-io.ts";

export interface Recovering {
  readonly io: VirtualIo;
  /** One for each connection, in order. */
  readonly servers: FakeServer[];
  readonly connection: Connection;
  /** The names of the events so far, with what matters of them. */
  readonly events: string[];
  /** The server of the connection that there is. */
  server(): FakeServer;
  /** The transport ends, as after a crash of the server. */
  cut(): Promise<void>;
  /** Lets the backoff pass, and everything recover that can. */
  comeBack(): Promise<void>;
}

/** The wait before the first attempt, with the virtual services' idea of chance. */
export const firstDelay = 750;

/** A connection that recovers. `prepare` sees each server before anything is sent to it; its number is from 0. */
export async function recovering(
  options: ConnectOptions = {},
  prepare: (server: FakeServer, number: number) => void = () => {},
): Promise<Recovering> {
  const io = new VirtualIo();
  let count = 0;
  const servers: FakeServer[] = serve(io, (server) => {
    prepare(server, count);
    count += 1;
  });
  const connection = await settled(io, connect(io, { host: "broker", ...options }));
  const server = (): FakeServer => servers.at(-1) as FakeServer;
  return {
    io,
    servers,
    connection,
    events: eventsOf(connection),
    server,
    cut: async () => {
      server().stream.hangUp();
      await io.settle();
    },
    comeBack: () => io.advance(firstDelay),
  };
}

/** With a channel. */
export async function recoveringChannel(
  options?: ConnectOptions,
  prepare?: (server: FakeServer, number: number) => void,
): Promise<Recovering & { readonly channel: Channel }> {
  const fixture = await recovering(options, prepare);
  const channel = await settled(fixture.io, fixture.connection.openChannel());
  return { ...fixture, channel };
}

/** What a call fails with that the server may have heard before the connection was lost. */
export const lostUnknown = { code: "CONNECTION_LOST", outcome: "unknown" };

/** What a call fails with that waited for a connection and was never sent. */
export const notSent = { code: "NOT_CONNECTED", outcome: "not-sent", retryable: true };

/** A message to the queue `q`. */
export const message = (body: string) => ({ exchange: "", routingKey: "q", body: bytes(body) });

/** The bodies of the messages that were sent. */
export const published = (server: FakeServer): string[] =>
  server.sentOf("basic.publish").map(({ body }) => new TextDecoder().decode(body));

/** What was declared and bound, in order: the method, and the name of what it made. */
export const declared = (server: FakeServer): string[] =>
  server.sent
    .filter(({ name }) => /\.(declare|bind)$/.test(name))
    .map(({ name, fields }) => `${name} ${String(fields["queue"] ?? fields["exchange"] ?? fields["destination"])}`);

function eventsOf(connection: Connection): string[] {
  const events: string[] = [];
  const note = <Name extends keyof ConnectionEvents>(
    name: Name,
    words: (value: ConnectionEvents[Name]) => unknown = () => "",
  ): void => {
    connection.on(name, (value) => events.push(`${name} ${String(words(value))}`.trim()));
  };
  note("blocked", ({ reason }) => reason);
  note("unblocked");
  note("disconnected", ({ cause, willRecover }) => `${cause.code}${willRecover ? "" : ", for good"}`);
  note("reconnecting", ({ attempt, delay }) => `${attempt} ${delay}`);
  note("reconnect-failed", ({ attempt }) => attempt);
  note("connected", ({ epoch }) => epoch);
  note("queue-renamed", ({ oldName, newName }) => `${oldName} ${newName}`);
  note("topology-error", ({ item, action }) => `${item.kind} ${action}`);
  note("channel-recovered", ({ channel }) => channel);
  note("recovered", ({ failures }) => (failures.length === 0 ? "" : `but ${failures.length}`));
  note("closed", ({ error }) => error?.code ?? "by us");
  return events;
}
