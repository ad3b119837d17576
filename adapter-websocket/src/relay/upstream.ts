/** The brokers behind the relay: how they are written, and how a connection to one is made. */

import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";
import { sharedLookup } from "./lookups.ts";

/** Where a broker is. */
export type Upstream = TcpUpstream | UnixUpstream;

export interface TcpUpstream {
  readonly transport: "tcp";
  /** For logs; has no secret. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

export interface UnixUpstream {
  readonly transport: "unix";
  readonly name: string;
  readonly path: string;
  readonly tls: false;
}

/** TLS to the brokers. The broker's certificate is always verified. */
export interface UpstreamTls {
  /** What to trust and who to be. */
  readonly context: SecureContext;
  /** The name to verify, in place of the host's. */
  readonly serverName: string | undefined;
}

/** How to reach a broker. */
export interface DialOptions {
  readonly tls: UpstreamTls;
  /** What to send before everything else, also before TLS. */
  readonly preamble?: Uint8Array | undefined;
  /** Gives up, also in the middle. */
  readonly signal: AbortSignal;
}

const keepAliveDelay = 30_000;
/** Node's default of 250 ms gives up on addresses that are merely far away. */
const addressAttemptTimeout = 2_500;

/** What a URI of an upstream begins with. */
export const upstreamSchemes = "amqp://, amqps:// or unix:/";

/**
 * What is written as an upstream: `amqp://HOST[:PORT]`, `amqps://HOST[:PORT]` or `unix:PATH`.
 *
 * @returns what is wrong with it, if something is; without a word of it, as people put passwords into URIs.
 */
export function parseUpstream(text: string): Upstream | string {
  const unix = /^unix:(?:\/\/)?(\/.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { transport: "unix", name: text, path: unix[1], tls: false };

  const [, scheme, authority = "", rest = ""] = /^(amqps?):\/\/([^/?#]*)(.*)$/i.exec(text) ?? [];
  if (scheme === undefined) return `begins with ${upstreamSchemes}`;
  if (text.includes("@")) return "has no user and no password: each client gives its own";
  if (rest !== "" && rest !== "/") return "has no virtual host and no parameters: each client gives its own";

  const [, host = "", digits] = /^(\[[^\]]+\]|[^\s:[\]]+)(?::(.*))?$/.exec(authority) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (host === "" || (bare !== host && isIP(bare) !== 6) || isIP(authority) === 6) {
    return "names a host; an IPv6 address is written in brackets";
  }
  const tls = scheme.toLowerCase() === "amqps";
  const port = digits === undefined ? (tls ? 5671 : 5672) : /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) return "has a port from 1 to 65535";
  return { transport: "tcp", name: `${tls ? "amqps" : "amqp"}://${host}:${port}`, host: bare, port, tls };
}

/** Connects, with TLS where the upstream asks for it. Rejects with the runtime's error, or the signal's reason. */
export async function dial(upstream: Upstream, options: DialOptions): Promise<Socket> {
  options.signal.throwIfAborted();
  const socket =
    upstream.transport === "unix"
      ? connectTcp({ path: upstream.path })
      : connectTcp({
          host: upstream.host,
          port: upstream.port,
          lookup: sharedLookup,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: keepAliveDelay,
          autoSelectFamilyAttemptTimeout: addressAttemptTimeout,
        });
  // An error may come between two owners of the socket; without a listener it would end the process.
  socket.on("error", () => {});
  await ready(socket, "connect", options.signal);
  if (options.preamble !== undefined) socket.write(options.preamble);
  if (upstream.transport === "unix" || !upstream.tls) return socket;

  const name = options.tls.serverName ?? upstream.host;
  const secured = connectTls({
    socket,
    secureContext: options.tls.context,
    // Node's default, but for a variable of the environment that turns verification off for the whole process.
    rejectUnauthorized: true,
    // Without a server name the identity is checked against `host`, which may be an address.
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
  });
  secured.on("error", () => {});
  try {
    await ready(secured, "secureConnect", options.signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return secured;
}

function ready(socket: Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      signal.removeEventListener("abort", abort);
      socket.off("error", settle).off("close", closed).off(event, opened);
      if (error === undefined) return resolve();
      socket.destroy();
      reject(error);
    };
    const opened = (): void => settle();
    const closed = (): void => settle(new Error("the upstream closed the connection"));
    const abort = (): void => settle(signal.reason);
    socket.on("error", settle).on("close", closed).on(event, opened);
    signal.addEventListener("abort", abort);
  });
}
