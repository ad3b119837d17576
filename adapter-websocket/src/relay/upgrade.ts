/**
 * Whether a request may become a WebSocket. What the relay was not told to allow, it refuses, and it does so before
 * the upgrade: a refusal costs no more than an HTTP request.
 */

import type { IncomingMessage } from "node:http";
import type { Admission, AdmissionRefusal, Place } from "./admission.ts";
import {
  type Allowed,
  type Authenticate,
  type AuthenticationRefusal,
  authenticate,
  requestForHook,
  type RequestTarget,
} from "./authentication.ts";
import type { ProxyTrust } from "./client-address.ts";
import type { Millis } from "./clock.ts";
import type { RelayLog } from "./log.ts";
import type { OriginCheck } from "./origins.ts";
import type { ProxyEnd } from "./write-proxy-header.ts";
import type { Upstream } from "./upstream.ts";

export type RefusalReason =
  | AdmissionRefusal
  | AuthenticationRefusal
  | "draining"
  | "unknown-path"
  | "unknown-host"
  | "origin"
  | "not-websocket"
  | "too-fast-of-address";

/** The HTTP status that a refused client is given. */
export const refusalStatus: Readonly<Record<RefusalReason, number>> = {
  draining: 503,
  "not-websocket": 400,
  "unknown-path": 404,
  "unknown-host": 403,
  origin: 403,
  "too-many-connections": 503,
  "too-many-of-address": 429,
  "too-many-of-identity": 429,
  "too-fast": 429,
  "too-fast-of-address": 429,
  unauthenticated: 401,
  forbidden: 403,
  "authentication-failed": 503,
  "upgrade-timeout": 408,
};

/** The path that stands for every path without an upstream of its own. */
export const anyPath = "*";

/** The rules, ready for use. */
export interface UpgradeRules extends ProxyTrust {
  /** By path. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** In lower case, without port; empty for any. */
  readonly allowedHosts: ReadonlySet<string>;
  readonly allowsOrigin: OriginCheck;
  readonly authenticate: Authenticate | undefined;
  /** 0 for ever. */
  readonly maxLifetime: Millis;
}

/** A client that may come in. */
export interface Admitted {
  /** To be given back when the client has gone. */
  readonly place: Place;
  readonly client: ProxyEnd;
  /** The path that was asked for, or {@link anyPath}. */
  readonly route: string;
  readonly upstream: Upstream;
  readonly origin: string | undefined;
  readonly identity: string | undefined;
  /** 0 for ever. */
  readonly lifetime: Millis;
}

/** Asks the cheap questions first. A place that was taken is given back when the answer is no. */
export async function checkUpgrade(
  request: IncomingMessage,
  client: ProxyEnd,
  rules: UpgradeRules,
  admission: Admission,
  log: RelayLog,
  signal: AbortSignal,
): Promise<Admitted | RefusalReason> {
  const target = targetOf(request);
  const route = rules.upstreams.has(target.path) ? target.path : anyPath;
  const upstream = rules.upstreams.get(route);
  if (upstream === undefined) return "unknown-path";
  if (!allowsHost(request.headers.host, rules.allowedHosts)) return "unknown-host";
  const origin = request.headers.origin;
  if (!rules.allowsOrigin(origin)) return "origin";

  const place = admission.enter(client.address);
  if (typeof place === "string") return place;
  const admitted = { place, client, route, upstream, origin };
  if (rules.authenticate === undefined) return { ...admitted, identity: undefined, lifetime: rules.maxLifetime };

  const answer = await authenticate(rules.authenticate, requestForHook(request, target, client.address, signal), log);
  const granted = typeof answer === "string" ? answer : claim(place, answer);
  if (typeof granted === "string") {
    place.leave();
    return granted;
  }
  return { ...admitted, identity: granted.identity, lifetime: shorter(granted.lifetime, rules.maxLifetime) };
}

/**
 * What was asked for, as it was written: `/x/../a` and `/%61` are not `/a`, for what stands in front may judge by the
 * path too, and let those pass. A request may also name a whole URL (RFC 9112, 3.2.2).
 */
function targetOf(request: IncomingMessage): RequestTarget {
  const target = (request.url ?? "").replace(/^https?:\/\/[^/?]*/i, "");
  const [path = "", ...query] = target.split("?");
  return { path: path === "" ? "/" : path, query: new URLSearchParams(query.join("?")) };
}

function allowsHost(header: string | undefined, allowed: ReadonlySet<string>): boolean {
  if (allowed.size === 0) return true;
  const name = (header ?? "").replace(/:\d+$/, "");
  return allowed.has(name.toLowerCase());
}

function claim(place: Place, allowed: Allowed): Allowed | RefusalReason {
  const refusal = allowed.identity === undefined ? undefined : place.claim(allowed.identity);
  return refusal ?? allowed;
}

/** Of two durations, where 0 and undefined are for ever. */
function shorter(given: Millis | undefined, limit: Millis): Millis {
  if (given === undefined || given === Infinity) return limit;
  return limit === 0 ? given : Math.min(given, limit);
}
