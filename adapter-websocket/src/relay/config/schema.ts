/** All settings: what each takes, its default, and what is said of it on the command line. */

import * as v from "valibot";
import type { ForwardedHeader } from "../client-address.ts";
import type { LogLevel } from "../log.ts";
import type { Upstream } from "../upstream.ts";
import * as values from "./values.ts";
import type { HostAndPort } from "./values.ts";

/** The settings, checked, with defaults; durations in milliseconds, sizes in bytes. */
export interface RelayConfig {
  readonly listen: HostAndPort;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly upstream: ReadonlyMap<string, Upstream>;
  readonly upstreamCa: string | undefined;
  readonly upstreamCert: string | undefined;
  readonly upstreamKey: string | undefined;
  readonly upstreamServerName: string | undefined;
  readonly proxyProtocol: boolean;
  readonly origin: readonly string[];
  readonly allowNoOrigin: boolean;
  readonly allowedHost: readonly string[];
  readonly trustedProxy: readonly string[];
  readonly acceptProxyProtocol: boolean;
  readonly forwardedHeader: ForwardedHeader;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxConnectionsPerIdentity: number;
  readonly maxUpgradesPerSecond: number;
  readonly maxUpgradesPerMinutePerAddress: number;
  readonly maxMessageSize: number;
  readonly maxBytesPerSecond: number;
  readonly upgradeTimeout: number;
  readonly headerTimeout: number;
  readonly upstreamTimeout: number;
  readonly idleTimeout: number;
  readonly pingInterval: number;
  readonly pongTimeout: number;
  readonly closeTimeout: number;
  readonly maxLifetime: number;
  readonly drainTimeout: number;
  readonly authModule: string | undefined;
  readonly admin: HostAndPort | undefined;
  readonly demo: boolean;
  readonly logLevel: LogLevel;
}

export type SettingName = keyof RelayConfig;

/** One setting. */
export interface Setting<T> {
  /** Stands for the value in the help; empty for a switch, which needs none. */
  readonly placeholder: string;
  readonly help: string;
  readonly isList: boolean;
  readonly schema: v.GenericSchema<unknown, T>;
}

/** In the order of the help. */
export const settings: { readonly [Name in SettingName]: Setting<RelayConfig[Name]> } = {
  listen: one("HOST:PORT", "where to listen", values.hostAndPort, "127.0.0.1:15670"),
  tlsCert: optional("FILE", "certificate chain (PEM), for TLS in front", values.text),
  tlsKey: optional("FILE", "private key (PEM), for TLS in front", values.text),
  upstream: {
    ...one("[/PATH=]URI", "a broker: amqp://HOST[:PORT], amqps://HOST[:PORT], unix:PATH", values.upstreams),
    isList: true,
  },
  upstreamCa: optional("FILE", "certificates (PEM) to trust for amqps", values.text),
  upstreamCert: optional("FILE", "the relay's certificate chain (PEM), for brokers that ask for it", values.text),
  upstreamKey: optional("FILE", "the relay's private key (PEM)", values.text),
  upstreamServerName: optional("NAME", "the name to verify in the broker's certificate", values.text),
  proxyProtocol: off("tell the broker the client's address (PROXY protocol v2; it must expect it)"),
  origin: list("ORIGIN", "pages that may connect: https://app.example.com, https://*.example.com, *", values.origins),
  allowNoOrigin: off("let in requests without an Origin header, which are not from a page"),
  allowedHost: list("NAME", "names that the Host header may have (default: any)", values.hostNames),
  trustedProxy: list("RANGE", "load balancers whose word on the client's address is taken", values.ranges),
  acceptProxyProtocol: off("they say it by the PROXY protocol (v1 or v2), in front of every connection"),
  forwardedHeader: one(
    "NAME",
    "the header by which they say it: x-forwarded-for or forwarded",
    values.oneOf("x-forwarded-for", "forwarded"),
    "x-forwarded-for",
  ),
  maxConnections: one("N", "connections at a time", values.count, 10_000),
  maxConnectionsPerAddress: one("N", "connections at a time from one address", values.count, 100),
  maxConnectionsPerIdentity: one("N", "connections at a time of one identity", values.count, 0),
  maxUpgradesPerSecond: one("N", "new connections a second", values.count, 200),
  maxUpgradesPerMinutePerAddress: one("N", "new connections a minute from one address", values.count, 600),
  maxMessageSize: one("SIZE", "the longest message of a client", values.size, "1MiB"),
  maxBytesPerSecond: one("SIZE", "what one client may send in a second", values.size, 0),
  upgradeTimeout: one("TIME", "from connecting to the end of the upgrade", values.duration, "10s"),
  headerTimeout: one("TIME", "from the upgrade to the protocol header of AMQP", values.duration, "10s"),
  upstreamTimeout: one("TIME", "to connect to the broker", values.duration, "10s"),
  idleTimeout: one("TIME", "without a byte in either direction", values.duration, "5m"),
  pingInterval: one("TIME", "silence after which a client is sent a ping", values.duration, "30s"),
  pongTimeout: one("TIME", "silence after a ping that means that it is gone", values.someDuration, "10s"),
  closeTimeout: one("TIME", "for the other side to agree to an end", values.someDuration, "5s"),
  maxLifetime: one("TIME", "how long a connection may last", values.duration, 0),
  drainTimeout: one(
    "TIME",
    "from SIGTERM to the end of the connections that are left; 0: at once",
    values.duration,
    "10s",
  ),
  authModule: optional("FILE", "module whose export `authenticate` decides who may come in", values.text),
  admin: optional("HOST:PORT", "where to serve /livez, /readyz and /metrics (default: nowhere)", values.hostAndPort),
  demo: off("serve a page to try it with; its own origin may connect"),
  logLevel: one(
    "LEVEL",
    "debug, info, warn, error or silent",
    values.oneOf<LogLevel>("debug", "info", "warn", "error", "silent"),
    "info",
  ),
};

/** Without a default, the setting must be given. */
function one<T>(
  placeholder: string,
  help: string,
  schema: v.GenericSchema<unknown, T>,
  fallback?: string | number,
): Setting<T> {
  if (fallback === undefined) return { placeholder, help, isList: false, schema };
  const shown = `${help} (default: ${fallback === 0 ? "no limit" : fallback})`;
  return { placeholder, help: shown, isList: false, schema: v.optional(schema, fallback) };
}

function optional<T>(placeholder: string, help: string, schema: v.GenericSchema<unknown, T>): Setting<T | undefined> {
  return { placeholder, help, isList: false, schema: v.optional(schema) };
}

function off(help: string): Setting<boolean> {
  return { placeholder: "", help, isList: false, schema: v.optional(values.onOrOff, false) };
}

function list<T>(placeholder: string, help: string, schema: v.GenericSchema<unknown, T>): Setting<T> {
  return { placeholder, help, isList: true, schema: v.optional(schema, []) };
}
