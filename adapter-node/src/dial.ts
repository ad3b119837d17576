/** Dialing: from an endpoint to an open socket, over every address of the host, with TLS where the endpoint has it. */

import dns from "node:dns";
import net from "node:net";
import { type TcpEndpoint, type TransportError, type UnixEndpoint, UsageError } from "@leveret/core/client";
import { type AttemptEvents, raceAddresses } from "./address-race.ts";
import { type TlsConnectOptions, tlsConnectOptions } from "./tls-context.ts";
import { combinedError, type TransportPhase, transportError } from "./transport-errors.ts";

/** How dialing ended. Reported later, never inline, and not after it was cancelled. */
export type DialEvents = Pick<AttemptEvents<net.Socket, TransportError>, "won" | "failed">;

const defaultKeepAlive = 30_000;

/** The kernel counts whole seconds, from 1 to so many. */
const longestKeepAlive = 32_767_000;

/**
 * Begins to dial, and gives the way to cancel it.
 *
 * @param onread Where sockets put what they read; reading begins when a socket is open. Without it they emit `data`.
 * @throws UsageError INVALID_ARGUMENT when certificates or keys of the endpoint cannot be used, or its port is none.
 */
export function dial(
  endpoint: TcpEndpoint | UnixEndpoint,
  onread: net.OnReadOpts | undefined,
  events: DialEvents,
): () => void {
  if (endpoint.transport === "unix") {
    const socket = net.connect({ path: endpoint.path, onread });
    return watch(socket, "connect", endpoint.path, { ...events, answered: () => {} });
  }

  const { host, port } = endpoint;
  // Node would throw when the look-up is done, where nobody can catch it.
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UsageError("INVALID_ARGUMENT", `port must be an integer from 1 to 65535, not ${port}`);
  }
  const secure = endpoint.tls === undefined ? undefined : tlsConnectOptions(endpoint.tls, host);
  const keepAlive = wholeSeconds(endpoint.tcp?.keepAlive ?? defaultKeepAlive);
  let cancelled = false;
  let cancelRace = (): void => {};
  dns.lookup(host, { all: true }, (error, addresses) => {
    if (cancelled) return;
    const where = hostAndPort(host, port);
    if (error !== null) return events.failed(transportError(error, where, "dns"));
    cancelRace = raceAddresses<net.Socket, TransportError>(
      addresses,
      (address, attempt) => {
        const socket = openSocket(address, port, onread, secure);
        socket.setNoDelay(true);
        if (keepAlive > 0) socket.setKeepAlive(true, keepAlive);
        return watch(socket, secure === undefined ? "connect" : "secureConnect", hostAndPort(address, port), attempt);
      },
      { won: events.won, lost: (failures) => events.failed(combinedError(failures, where)) },
    );
  });
  return () => {
    // A look-up cannot be cancelled; what it finds is ignored.
    cancelled = true;
    cancelRace();
  };
}

function openSocket(
  address: string,
  port: number,
  onread: net.OnReadOpts | undefined,
  secure: TlsConnectOptions | undefined,
): net.Socket {
  const target = { host: address, port, onread, autoSelectFamily: false };
  if (secure === undefined) return net.connect(target);
  return process.getBuiltinModule("node:tls").connect({ ...target, ...secure });
}

/** Reports what becomes of a socket, until it is open. */
function watch(
  socket: net.Socket,
  openEvent: "connect" | "secureConnect",
  where: string,
  events: AttemptEvents<net.Socket, TransportError>,
): () => void {
  let phase: TransportPhase = "tcp";
  const onConnect = (): void => {
    phase = "tls";
    if (openEvent !== "connect") events.answered();
  };
  const onError = (error: Error): void => events.failed(transportError(error, where, phase));
  const onOpen = (): void => {
    socket.off("connect", onConnect);
    socket.off("error", onError);
    events.won(socket);
  };
  socket.once("connect", onConnect);
  socket.once("error", onError);
  socket.once(openEvent, onOpen);
  return () => {
    socket.destroy();
  };
}

/** What the kernel cannot count is refused by it without a word, and the time is that of the system then. */
function wholeSeconds(keepAlive: number): number {
  return Math.min(Math.ceil(keepAlive / 1_000) * 1_000, longestKeepAlive);
}

/** A peer, as a message names it. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
