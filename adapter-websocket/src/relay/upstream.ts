/** The brokers behind the relay: how they are written, and how a connection to one is made. */

import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";

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

/** What is written as an upstream: `amqp://HOST[:PORT]`, `amqps://HOST[:PORT]` or `unix:PATH`. Undefined: none of these. */
export function parseUpstream(text: string): Upstream | undefined {
  const unix = /^unix:(?:\/\/)?(\/.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { transport: "unix", name: text, path: unix[1], tls: false };

  // Nothing but host and port: user, virtual host and parameters are the client's business.
  const match = /^(amqps?):\/\/(\[[^\]]+\]|[^\s/:@?#[\]]+)(?::(\d{1,5}))?\/?$/i.exec(text);
  if (match === null) return undefined;
  const [, scheme = "", host = "", digits] = match;
  const tls = scheme.toLowerCase() === "amqps";
  const port = digits === undefined ? (tls ? 5671 : 5672) : Number(digits);
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (port < 1 || port > 65_535 || (bare !== host && isIP(bare) !== 6)) return undefined;
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
