/** The worker's side: a connection at the disposal of a thread that blocks. */

import type { Connection } from "../client/connection.ts";
import type { ConnectionEvents } from "../client/connection-events.ts";
import type { ConnectOptions } from "../client/parameters.ts";
import { AmqpError, UsageError } from "../wire/errors.ts";
import { Calls } from "../threads/calls.ts";
import { ChannelService } from "../threads/channel-service.ts";
import { pack, unpack } from "../threads/pack.ts";
import { packError } from "../threads/pack-errors.ts";
import { type Lane, PortHost } from "../threads/port-host.ts";
import { type CallItem, channelLane, type GuestItem, portLane } from "../threads/protocol.ts";
import { defaultWindow } from "../threads/serve.ts";
import { receivedOptions } from "./connect-options.ts";
import type { WorkerData } from "./services.ts";
import { SharedState } from "./shared-state.ts";

/** Events of the connection that the blocking thread hears of. */
const forwarded: readonly (keyof ConnectionEvents)[] = [
  "blocked",
  "unblocked",
  "disconnected",
  "reconnecting",
  "reconnect-failed",
  "recovered",
  "queue-renamed",
  "closed",
];

/**
 * Serves one connection to the thread that started this worker.
 *
 * @param connect - The runtime's own.
 */
export function serveBlocking(
  { port, state }: WorkerData,
  connect: (options: ConnectOptions) => Promise<Connection>,
): void {
  const shared = new SharedState(state);
  const host = new PortHost(port, () => shared.wake());
  host.addLane(portLane, new ConnectionLane(host, connect));
  host.greet(portLane, {});
  void host.closed.then(() => shared.end());
}

class ConnectionLane implements Lane {
  readonly #host: PortHost;
  readonly #connect: (options: ConnectOptions) => Promise<Connection>;
  readonly #calls: Calls;
  #connection: Connection | undefined;
  #lanes: number = channelLane;

  constructor(host: PortHost, connect: (options: ConnectOptions) => Promise<Connection>) {
    this.#host = host;
    this.#connect = connect;
    this.#calls = new Calls(portLane, host.outbox);
  }

  handle(item: GuestItem): void {
    if (item.type === "abort") return this.#calls.abort(item);
    if (item.type === "call") this.#calls.answer(item, (signal) => this.#call(item, signal));
  }

  async release(): Promise<number> {
    this.#calls.end();
    await this.#connection?.close();
    return 0;
  }

  #call({ method, options }: CallItem, signal: AbortSignal | undefined): Promise<unknown> {
    const given = unpack(options) as never;
    const connection = this.#connection;
    if (method === "connect") return this.#open(receivedOptions(given), signal);
    if (connection === undefined) throw new UsageError("ILLEGAL_STATE", "There is no connection yet");
    switch (method) {
      case "openChannel":
        return this.#openChannel(connection, given, signal);
      case "updateSecret":
        return connection.updateSecret({ ...(given as { newSecret: string; reason: string }), signal });
      case "close":
        return connection.close(given);
      case "look":
        return Promise.resolve(look(connection));
      default:
        throw new UsageError("NOT_SUPPORTED", `A connection of another thread has no ${method}`);
    }
  }

  async #open(options: ConnectOptions, signal: AbortSignal | undefined): Promise<unknown> {
    const connection = await this.#connect({ ...options, signal });
    this.#connection = connection;
    for (const name of forwarded) connection.on(name, (value: unknown) => this.#event(name, value));
    return look(connection);
  }

  async #openChannel(connection: Connection, options: { number?: number }, signal: AbortSignal | undefined) {
    const channel = await connection.openChannel({ ...options, signal });
    const lane = this.#lanes;
    this.#lanes += 1;
    const service = new ChannelService(channel, lane, this.#host.outbox, { window: defaultWindow, report: () => {} });
    this.#host.addLane(lane, {
      // The other thread has heard that the channel is closed, and asks nothing more.
      handle: (item) => (item.type === "done" ? this.#host.removeLane(lane) : service.handle(item)),
      release: () => service.release(),
    });
    return { lane, ...service.facts };
  }

  #event(name: string, value: unknown): void {
    const { error, cause, ...rest } = (value ?? {}) as { error?: unknown; cause?: unknown };
    const problem = error ?? cause;
    this.#host.outbox.post({
      type: "event",
      lane: portLane,
      name,
      value: {
        value: pack(withPackedFailures(rest), "event"),
        error: problem === undefined ? undefined : packError(problem),
      },
    });
  }
}

/** What is known of a connection. */
function look({ state, blocked, negotiated, serverProperties }: Connection): object {
  return { state, blocked, negotiated, serverProperties };
}

/** Failures of recovery have errors, which are told by their messages. */
function withPackedFailures(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, name === "failures" ? failureMessages(field) : field]),
  );
}

function failureMessages(failures: readonly { readonly error?: unknown }[]): readonly string[] {
  return failures.map(({ error }) => (error instanceof AmqpError ? error.message : String(error)));
}

/** Something in this worker failed that nobody expected: the blocked thread is told, so that it does not wait for ever. */
export function endBlocking({ state }: WorkerData): void {
  new SharedState(state).end();
}
