/** What most tests of the client begin with: a connection to a fake server, and a channel. */

import type { Channel } from "../channel.ts";
import { connect } from "../connect.ts";
import type { Connection } from "../connection.ts";
import type { ConnectOptions } from "../parameters.ts";
import { type FakeServer, serve } from "./fake-server.ts";
import { VirtualIo } from "./virtual-io.ts";

export interface Fixture {
  readonly io: VirtualIo;
  readonly server: FakeServer;
  readonly connection: Connection;
}

/** A connection that is open, and that does not recover unless that is asked for. */
export async function connected(
  options: ConnectOptions = {},
  prepare: (server: FakeServer) => void = () => {},
): Promise<Fixture> {
  const io = new VirtualIo();
  const servers = serve(io, prepare);
  const connecting = connect(io, { host: "broker", recovery: false, ...options });
  await io.settle();
  const connection = await connecting;
  return { io, server: servers[0] as FakeServer, connection };
}

/** A connection with one channel. */
export async function withChannel(
  options: ConnectOptions = {},
  prepare?: (server: FakeServer) => void,
): Promise<Fixture & { readonly channel: Channel }> {
  const fixture = await connected(options, prepare);
  const channel = await settled(fixture.io, fixture.connection.openChannel());
  fixture.server.sent.length = 0;
  return { ...fixture, channel };
}

/** The value of a promise that settles without time passing. */
export async function settled<T>(io: VirtualIo, promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  await io.settle();
  return promise;
}

/** The error of a promise that is to reject. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** The error of a promise that rejects without time passing. */
export async function failure(io: VirtualIo, promise: Promise<unknown>): Promise<unknown> {
  return settled(io, errorOf(promise));
}

/** What has become of a promise. */
export async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  let state: "pending" | "resolved" | "rejected" = "pending";
  promise.then(
    () => {
      state = "resolved";
    },
    () => {
      state = "rejected";
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return state;
}

/** The bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
