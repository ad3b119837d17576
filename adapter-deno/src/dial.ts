/** Dialing: what Deno can honour of an endpoint, and from there to an open connection. */

import {
  type Endpoint,
  type TcpEndpoint,
  type TransportError,
  type UnixEndpoint,
  UsageError,
} from "@leveret/core/client";
import { DenoSocket, type Socket } from "./socket.ts";
import { type TlsConnectOptions, tlsConnectOptions } from "./tls-context.ts";
import { openTls } from "./tls-socket.ts";
import { combinedError, permissionError, transportError } from "./transport-errors.ts";

/** A way to an open connection. */
export interface Dial {
  /** The peer, as a message names it. */
  readonly where: string;
  /**
   * Connects, TLS included.
   *
   * @param signal Cancels dialing. A unix domain socket may open all the same.
   * @throws TransportError
   */
  open(signal: AbortSignal): Promise<Socket>;
}

/**
 * Checks an endpoint. Nothing is connected yet.
 *
 * @throws UsageError NOT_SUPPORTED for what Deno cannot do, INVALID_ARGUMENT for certificates and keys that cannot be used,
 * and for a port that is none.
 */
export function dialOf(endpoint: Endpoint): Dial {
  switch (endpoint.transport) {
    case "tcp": {
      const where = hostAndPort(endpoint);
      checkOptions(endpoint);
      const secure = endpoint.tls === undefined ? undefined : tlsConnectOptions(endpoint.tls, endpoint.host);
      return { where, open: (signal) => openTcp(endpoint, where, secure, signal) };
    }
    case "unix":
      return { where: endpoint.path, open: () => openUnix(endpoint) };
    case "websocket":
      throw new UsageError("NOT_SUPPORTED", "@leveret/deno has no WebSocket; @leveret/websocket has");
  }
}

function checkOptions({ port, tcp, tls }: TcpEndpoint): void {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UsageError("INVALID_ARGUMENT", `port must be an integer from 1 to 65535, not ${port}`);
  }
  if (tcp?.keepAlive !== undefined && tcp.keepAlive !== 0) {
    const ways = "leave the option out for that of the system, or give 0 for no keep-alive";
    throw new UsageError("NOT_SUPPORTED", `tcp.keepAlive: Deno cannot set the idle time; ${ways}`);
  }
  if (tls?.ciphers !== undefined) {
    throw new UsageError("NOT_SUPPORTED", "tls.ciphers: Deno chooses the ciphers itself");
  }
}

async function openUnix({ path }: UnixEndpoint): Promise<Socket> {
  try {
    return new DenoSocket(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw transportError(error, path, "tcp");
    throw permissionError(error, path, `--allow-read=${path} --allow-write=${path} --allow-net=unix:${path}`);
  }
}

/** Where TLS fails with one address of a name, the others have their turn, as far as permissions reach. */
async function openTcp(
  endpoint: TcpEndpoint,
  where: string,
  secure: TlsConnectOptions | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const { port } = endpoint;
  const { socket, address } = await connectTcp(endpoint.host, endpoint, signal);
  if (secure === undefined) return socket;
  let failure: unknown;
  try {
    return await openTls(socket, secure, signal);
  } catch (error) {
    failure = error;
  }
  const others = signal.aborted ? [] : await otherAddresses(endpoint, address);
  if (others.length === 0) throw transportError(failure, where, "tls");
  const failures: TransportError[] = [];
  for (const other of others) {
    try {
      const connected = await connectTcp(other, endpoint, signal);
      return await openTls(connected.socket, secure, signal);
    } catch (error) {
      failures.push(transportError(error, hostAndPort({ host: other, port }), "tls"));
    }
  }
  throw combinedError(transportError(failure, hostAndPort({ host: address, port }), "tls"), failures, where);
}

/** @throws TransportError */
async function connectTcp(
  hostname: string,
  { port, tcp }: TcpEndpoint,
  signal: AbortSignal,
): Promise<{ readonly socket: Socket; readonly address: string }> {
  let socket: DenoSocket | undefined;
  try {
    // The name goes to Deno as it is: only then do `--allow-net=name:port` and happy eyeballs count for it.
    const conn = await Deno.connect({ hostname, port, signal });
    socket = new DenoSocket(conn);
    conn.setNoDelay(true);
    conn.setKeepAlive(tcp?.keepAlive !== 0);
    return { socket, address: conn.remoteAddr.hostname };
  } catch (error) {
    socket?.close();
    const where = hostAndPort({ host: hostname, port });
    if (!(error instanceof Deno.errors.NotCapable)) throw transportError(error, where, "tcp");
    throw permissionError(error, where, `--allow-net=${where}`);
  }
}

/**
 * The other addresses of the host that the program may connect to. `--allow-net=name:port` reaches none of them: looking a
 * name up takes the permission for all of its ports, and each address one of its own. Nobody is prompted for them.
 */
async function otherAddresses({ host, port }: TcpEndpoint, tried: string): Promise<readonly string[]> {
  if (host === tried || !isPermitted(host)) return [];
  const { lookup } = process.getBuiltinModule("node:dns").promises;
  // Deno has resolved the name a moment ago; that TLS failed is what is to be told.
  const found = await lookup(host, { all: true }).catch(() => []);
  const addresses = new Set(found.map(({ address }) => address));
  addresses.delete(tried);
  return [...addresses].filter((address) => isPermitted(hostAndPort({ host: address, port })));
}

function isPermitted(host: string): boolean {
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

function hostAndPort({ host, port }: Pick<TcpEndpoint, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
