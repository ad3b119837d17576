/** Dialing: what Deno can honour of an endpoint, and from there to an open connection. */

import { type Endpoint, type TcpEndpoint, type UnixEndpoint, UsageError } from "@leveret/core/client";
import { DenoSocket, type Socket } from "./socket.ts";
import { type TlsConnectOptions, tlsConnectOptions } from "./tls-context.ts";
import { openTls } from "./tls-socket.ts";
import { permissionError, type TransportPhase, transportError } from "./transport-errors.ts";

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

async function openTcp(
  { host, port, tcp }: TcpEndpoint,
  where: string,
  secure: TlsConnectOptions | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  let phase: TransportPhase = "tcp";
  let socket: DenoSocket | undefined;
  try {
    // The name goes to Deno as it is: only then do `--allow-net=name:port` and happy eyeballs count for it.
    const conn = await Deno.connect({ hostname: host, port, signal });
    socket = new DenoSocket(conn);
    conn.setNoDelay(true);
    conn.setKeepAlive(tcp?.keepAlive !== 0);
    phase = "tls";
    return secure === undefined ? socket : await openTls(socket, secure, signal);
  } catch (error) {
    socket?.close();
    if (!(error instanceof Deno.errors.NotCapable)) throw transportError(error, where, phase);
    throw permissionError(error, where, `--allow-net=${where}`);
  }
}

function hostAndPort({ host, port }: TcpEndpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
