/** What a relay can be told. The same names are flags, variables of the environment, and keys of a file. */

import type { Authenticate } from "../authentication.ts";
import type { ForwardedHeader } from "../client-address.ts";
import type { Clock } from "../clock.ts";
import type { LogLevel, RelayLog } from "../log.ts";

/** A number of milliseconds, or a text such as `"500ms"`, `"30s"`, `"5m"`, `"12h"`; 0 turns it off, except where it says that it cannot. */
export type DurationOption = number | string;

/** A number of bytes, or a text such as `"64KiB"`, `"1MiB"`; 0 for no limit. */
export type SizeOption = number | string;

/** One, or several. */
export type ListOption = string | readonly string[];

/** Everything that can be set from outside of a program. Only `upstream` has no default. */
export interface RelaySettings {
  /** Where to listen: `HOST:PORT`. Default `127.0.0.1:15670`, which nobody else can reach. Port 0 is any that is free. */
  readonly listen?: string | undefined;
  /** File with the certificate chain (PEM) for TLS in front. Read again on SIGHUP. */
  readonly tlsCert?: string | undefined;
  /** File with the private key (PEM) for TLS in front. Read again on SIGHUP. */
  readonly tlsKey?: string | undefined;

  /**
   * The broker: `amqp://HOST[:PORT]`, `amqps://HOST[:PORT]` or `unix:PATH`. Or brokers by path, as
   * `/PATH=amqp://HOST`; then other paths are refused, unless there is one without a path too.
   */
  readonly upstream: ListOption;
  /** File with certificates (PEM) to trust for `amqps`, in place of the system's. */
  readonly upstreamCa?: string | undefined;
  /** File with the relay's own certificate chain (PEM), for brokers that ask for one. */
  readonly upstreamCert?: string | undefined;
  /** File with the relay's own private key (PEM). */
  readonly upstreamKey?: string | undefined;
  /** The name to verify in the broker's certificate, in place of the host's. */
  readonly upstreamServerName?: string | undefined;
  /** Tells the broker the client's address, by the PROXY protocol version 2. The broker must expect it. Default false. */
  readonly proxyProtocol?: boolean | undefined;

  /** Pages that may connect: `https://app.example.com`, `https://*.example.com`, `null`, or `*` for any. Default none. */
  readonly origin?: ListOption | undefined;
  /** Lets in requests without an Origin header, which do not come from a page. Default false. */
  readonly allowNoOrigin?: boolean | undefined;
  /** Names that the Host header may have, without port. Default any. */
  readonly allowedHost?: ListOption | undefined;
  /** Load balancers in front, by address or range, whose word on the client's address is taken. Default none. */
  readonly trustedProxy?: ListOption | undefined;
  /**
   * Those load balancers begin each connection with the PROXY protocol (version 1 or 2), which names the client; one that
   * they begin otherwise is dropped. For load balancers that pass TCP or TLS through. Default false.
   */
  readonly acceptProxyProtocol?: boolean | undefined;
  /** The header by which they say it. Default `x-forwarded-for`. */
  readonly forwardedHeader?: ForwardedHeader | undefined;

  /** Connections at a time. Default 10 000. */
  readonly maxConnections?: number | undefined;
  /** Connections at a time from one address (IPv6: from one /64). Default 100. */
  readonly maxConnectionsPerAddress?: number | undefined;
  /** Connections at a time of one identity, where an authentication hook gives one. Default 0: no limit. */
  readonly maxConnectionsPerIdentity?: number | undefined;
  /** New connections a second, with a burst of one second's worth. Default 200. */
  readonly maxUpgradesPerSecond?: number | undefined;
  /**
   * New connections a minute from one address (IPv6: from one /64), with a burst of one minute's worth. TCP connections
   * count, also those that never ask for a WebSocket; of a trusted proxy's, requests of the client that it names.
   * Default 600: each of 100 connections could come back every 10 s.
   */
  readonly maxUpgradesPerMinutePerAddress?: number | undefined;
  /** The longest message that a client may send. Default 1 MiB. */
  readonly maxMessageSize?: SizeOption | undefined;
  /**
   * What one client may send in a second, with a burst of as much; each message and ping counts for 64 bytes at least.
   * Default 0: no limit.
   */
  readonly maxBytesPerSecond?: SizeOption | undefined;

  /** From the start of a connection to the end of its upgrade, authentication included. Default 10 s. */
  readonly upgradeTimeout?: DurationOption | undefined;
  /** From the upgrade to the last byte of AMQP's protocol header. Default 10 s. */
  readonly headerTimeout?: DurationOption | undefined;
  /** To connect to the broker, TLS included. Default 10 s. */
  readonly upstreamTimeout?: DurationOption | undefined;
  /** Without a byte in either direction. AMQP's heartbeats are such bytes. Default 5 min. */
  readonly idleTimeout?: DurationOption | undefined;
  /** Silence of a client after which it is sent a ping. Default 30 s. */
  readonly pingInterval?: DurationOption | undefined;
  /** Silence after a ping that means that the client is gone. Cannot be turned off. Default 10 s. */
  readonly pongTimeout?: DurationOption | undefined;
  /** For the other side to agree to the end of a connection. Cannot be turned off. Default 5 s. */
  readonly closeTimeout?: DurationOption | undefined;
  /** How long a connection may last. Default 0: for ever. */
  readonly maxLifetime?: DurationOption | undefined;
  /** From SIGTERM to the end of the connections that are left; 0 ends them at once. Default 10 s. */
  readonly drainTimeout?: DurationOption | undefined;

  /** File of a module whose export `authenticate` decides who may come in, see {@link Authenticate}. */
  readonly authModule?: string | undefined;
  /** Where to serve /livez, /readyz and /metrics: `HOST:PORT`. Default: nowhere. */
  readonly admin?: string | undefined;
  /** Serves a page to try the relay with, and lets in that page. Default false. */
  readonly demo?: boolean | undefined;
  /** Default `info`. */
  readonly logLevel?: LogLevel | undefined;
}

/** What `startRelay` takes. */
export interface RelayOptions extends RelaySettings {
  /** Decides who may come in, in place of `authModule`. Default: everyone whom the other rules let in. */
  readonly authenticate?: Authenticate | undefined;
  /** Default: JSON on standard output, from `logLevel` on. */
  readonly log?: RelayLog | undefined;
  /** Default: the clock of the process. */
  readonly clock?: Clock | undefined;
}
