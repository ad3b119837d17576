/** The hook that decides who may come in, and how it is asked. */

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Millis } from "./clock.ts";
import { errorName, type RelayLog } from "./log.ts";

/** A request for a WebSocket. Everything in it but `clientAddress` is what the client says. */
export interface UpgradeRequest {
  /** As it was sent; nothing in it is decoded or resolved. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** By name, as they were sent. */
  readonly cookies: ReadonlyMap<string, string>;
  readonly origin: string | undefined;
  /** The subprotocols offered. A page cannot set headers, but it can offer a token here, beside `amqp091`. */
  readonly protocols: readonly string[];
  /** Of the client, also where a trusted proxy stands in between. */
  readonly clientAddress: string;
  /** Aborted when the time for the upgrade is over, or the client has gone. */
  readonly signal: AbortSignal;
}

/** The answer to one who may come in. */
export interface Allowed {
  readonly allow: true;
  /** Who it is: appears in logs, and is what `maxConnectionsPerIdentity` counts. Not a secret. */
  readonly identity?: string | undefined;
  /** How long the connection may last at most, such as until a token expires. */
  readonly lifetime?: Millis | undefined;
}

/** The answer to one who may not. */
export interface Denied {
  readonly allow: false;
  /** 401 for "say who you are" (the default), 403 for "you may not". */
  readonly status?: 401 | 403 | undefined;
}

/** Decides on a request for a WebSocket. A hook that throws, or takes longer than `upgradeTimeout`, lets nobody in. */
export type Authenticate = (request: UpgradeRequest) => Allowed | Denied | Promise<Allowed | Denied>;

export type AuthenticationRefusal = "unauthenticated" | "forbidden" | "authentication-failed" | "upgrade-timeout";

const timeIsUp = "upgrade-timeout";

/** Asks the hook. What it does wrong is an error in the log, and a refusal. */
export async function authenticate(
  hook: Authenticate,
  request: UpgradeRequest,
  log: RelayLog,
): Promise<Allowed | AuthenticationRefusal> {
  try {
    const answer = await Promise.race([hook(request), aborted(request.signal)]);
    if (answer === timeIsUp) return timeIsUp;
    if (answer.allow !== true) return answer.status === 403 ? "forbidden" : "unauthenticated";
    // A token that has expired in the meantime; not to be mistaken for "for ever".
    if (answer.lifetime !== undefined && !(answer.lifetime > 0)) return "unauthenticated";
    return answer;
  } catch (error) {
    log.error({ error: errorName(error) }, "the authentication hook failed");
    return "authentication-failed";
  }
}

/** What a request asks for. */
export type RequestTarget = Pick<UpgradeRequest, "path" | "query">;

/** What the hook is asked about. */
export function requestForHook(
  request: IncomingMessage,
  { path, query }: RequestTarget,
  clientAddress: string,
  signal: AbortSignal,
): UpgradeRequest {
  const { headers } = request;
  return {
    path,
    query,
    headers,
    cookies: parseCookies(headers.cookie),
    origin: headers.origin,
    protocols: splitList(headers["sec-websocket-protocol"]),
    clientAddress,
    signal,
  };
}

/** The pairs of a `Cookie` header (RFC 6265, 5.4). Of two with one name the first counts: it has the longer path. */
function parseCookies(header: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of (header ?? "").split(";")) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, equals)).trim();
    if (name !== "" && !cookies.has(name)) cookies.set(name, pair.slice(equals + 1).trim());
  }
  return cookies;
}

function splitList(header: string | undefined): readonly string[] {
  return (header ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function aborted(signal: AbortSignal): Promise<typeof timeIsUp> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(timeIsUp);
    signal.addEventListener("abort", () => resolve(timeIsUp), { once: true });
  });
}
