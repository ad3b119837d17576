/**
 * What `connect()` takes, and the plan that the dialing code follows.
 *
 * The names are AMQP's words, the durations milliseconds (`heartbeat` alone is in seconds, as on the wire). Everything
 * is checked by `planConnection` (plan.ts) before the first byte is sent, and a secret is never part of an error or of
 * what a log or `JSON.stringify` shows of a plan.
 */

import type { EngineLimits, ConnectionConfig, Millis, TappedFrame } from "../engine/config.ts";
import type { SaslMechanism } from "../engine/sasl.ts";
import type { FieldTable } from "../wire/field-values.ts";
import type { CredentialsSource } from "./credentials.ts";
import type { Instrumentation, Observer } from "./instrumentation/instrumentation.ts";
import type { Endpoint, TcpOptions, TlsOptions, UnixEndpoint, WebSocketEndpoint } from "./io-services.ts";
import type { RecoveryOptions, RecoveryPlan } from "./recovery-options.ts";

/** A user name and a password, for the mechanisms PLAIN and AMQPLAIN. */
export interface PasswordCredentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Who connects: a user name with a password, or SASL mechanisms in order of preference, of which the first that the
 * server offers is used: `external()`, `plain(username, password)`, one of your own.
 */
export type Credentials = PasswordCredentials | SaslMechanism | readonly SaslMechanism[];

/** A user name and a password that expires, such as an OAuth 2 token. */
export interface ExpiringCredentials extends PasswordCredentials {
  /**
   * How long the password is valid from now on (an OAuth 2 answer's `expires_in`, in milliseconds). Before it expires
   * the function is asked again, and the server is given the new password (`connection.update-secret`).
   */
  readonly validFor?: Millis | undefined;
}

/** What a function may give as credentials. */
export type ProvidedCredentials = Credentials | ExpiringCredentials;

/** TLS, with the option to name files where {@link TlsOptions} has contents. Files are read again before every round of attempts. */
export interface TlsFileOptions extends TlsOptions {
  /** A file of certificates (PEM) to trust, in place of `ca`. */
  readonly caFile?: string | undefined;
  /** A file of the client's certificate chain (PEM), in place of `cert`. */
  readonly certFile?: string | undefined;
  /** A file of the client's private key (PEM), in place of `key`. */
  readonly keyFile?: string | undefined;
  /** A PKCS#12 file, in place of `pfx`. */
  readonly pfxFile?: string | undefined;
}

/** A host with its port. */
export interface TcpAddress {
  readonly transport?: "tcp" | undefined;
  /** A name or an address; an IPv6 address without brackets. Every address that a name resolves to is tried. Default `"localhost"`. */
  readonly host?: string | undefined;
  /** 1 to 65535. Default 5672, with TLS 5671. */
  readonly port?: number | undefined;
  /** TLS: true for the runtime's trust store and full verification. Default: no TLS. */
  readonly tls?: boolean | TlsFileOptions | undefined;
  readonly tcp?: TcpOptions | undefined;
}

/** One place to connect to: a URI, or its parts. */
export type EndpointOption = string | TcpAddress | UnixEndpoint | WebSocketEndpoint;

/**
 * Places to connect to, tried in order: a list, or a function that is asked for one before every round of attempts.
 *
 * A URI in it may have a user, a virtual host and handshake parameters of its own, which then count for that place only.
 * What belongs to the connection as a whole (`connection_attempts`, `retry_delay` and the timeouts) is refused there.
 */
export type EndpointsOption =
  | readonly EndpointOption[]
  | (() => readonly EndpointOption[] | Promise<readonly EndpointOption[]>);

/**
 * What `connect()` takes. Say where in one of three ways: `uri`; or `host` and `port`; or `endpoints`. Without any: the
 * server on this host.
 */
export interface ConnectOptions {
  /**
   * `amqp://user:password@host:port/vhost?heartbeat=30`, or `amqps:` for TLS, or `ws:` and `wss:` for a relay; see
   * `parseUri` (uri.ts), and uri-query.ts for the parameters. An option beside it wins over the same parameter in it.
   */
  readonly uri?: string | undefined;
  /** A name or an address; an IPv6 address without brackets. Default `"localhost"`. */
  readonly host?: string | undefined;
  /** 1 to 65535. Default 5672, with TLS 5671. */
  readonly port?: number | undefined;
  readonly endpoints?: EndpointsOption | undefined;
  /**
   * TLS: true for the runtime's trust store and full verification. Beside `uri` or `endpoints` it adds to what they say
   * of TLS; beside an `amqp:` URI, which says plain TCP, it is refused.
   */
  readonly tls?: boolean | TlsFileOptions | undefined;
  readonly tcp?: TcpOptions | undefined;
  /** WebSocket subprotocols to offer to a relay. Default: none. */
  readonly protocols?: readonly string[] | undefined;

  /**
   * Who connects. A function is asked before every attempt, and, where it says how long its password is valid, again
   * when 60 to 80 % of that time are over. Default: guest, with the password guest.
   */
  readonly credentials?: Credentials | (() => ProvidedCredentials | Promise<ProvidedCredentials>) | undefined;
  /** Default `"/"`. The empty string is a name too. */
  readonly virtualHost?: string | undefined;
  /** Shown by the server's tools. */
  readonly connectionName?: string | undefined;
  /** Added to the client properties; a `capabilities` table is merged into ours. */
  readonly clientProperties?: FieldTable | undefined;
  /** Default `"en_US"`. */
  readonly locale?: string | undefined;

  /** The highest channel number, 0 for no limit of ours, at most 65535. Default 2047. The smaller of both peers' values is used. */
  readonly channelMax?: number | undefined;
  /** Bytes of the largest frame: 0 for no limit of ours, or 4096 (RabbitMQ 4.1 and newer: 8192) and more. Default 131 072. */
  readonly frameMax?: number | undefined;
  /**
   * Seconds between heartbeats: a number wins over the server's proposal, 0 turns heartbeats off, a function is given
   * the proposal. Default: the server's proposal.
   */
  readonly heartbeat?: number | ((proposed: number) => number) | undefined;

  /** How often the list of endpoints is gone through before connecting fails; `Infinity` for ever. Default 1. */
  readonly connectionAttempts?: number | undefined;
  /** The pause between two rounds through the list. Default 2 s. */
  readonly retryDelay?: Millis | undefined;
  /** For one endpoint, until its stream is open: names, TCP and TLS. Default 10 s, 0 for none. */
  readonly connectTimeout?: Millis | undefined;
  /** For one endpoint, until `connection.open-ok`: names, TCP, TLS and AMQP's handshake. Default 15 s, 0 for none. */
  readonly openTimeout?: Millis | undefined;
  /** How long the server may keep the connection blocked. Default 0: for ever. */
  readonly blockedTimeout?: Millis | undefined;
  /** From a request to its answer; does not count while the connection is blocked. Default 60 s, 0 for none. */
  readonly requestTimeout?: Millis | undefined;
  /** From our `connection.close` to its answer. Default 5 s, 0 for none. */
  readonly closeTimeout?: Millis | undefined;
  readonly limits?: Partial<EngineLimits> | undefined;

  /**
   * What becomes of the connection when it is lost. By default the client connects again, by itself, and brings back
   * channels, topology and consumers; `false`: a loss is the end. See docs/recovery.md.
   */
  readonly recovery?: boolean | RecoveryOptions | undefined;

  /** Ends connecting, with a `ConnectionError` CONNECT_ABORTED. It does not close a connection that is open. */
  readonly signal?: AbortSignal | undefined;
  /** Sees every frame, in both directions. For debugging: it costs time. */
  readonly tap?: ((frame: TappedFrame) => void) | undefined;
  /** Hooks, for tracing, metrics and logs: what `instrument` makes. Default: none. */
  readonly instrumentation?: Instrumentation | undefined;
  /**
   * Reads a file of `tls`. The `connect` of an adapter sets it, where its runtime has files; without it an option that
   * names a file is refused (NOT_SUPPORTED).
   */
  readonly readFile?: ((path: string) => Promise<Uint8Array>) | undefined;
}

/** One place to connect to, and what to say there. */
export interface ConnectTarget {
  /** Complete: defaults filled in, files read. Private key and passphrase are there, but not enumerable. */
  readonly endpoint: Endpoint;
  readonly virtualHost: string;
  /** Where the credentials come from. Asked by `engineConfig`, and again before they expire. */
  readonly credentials: CredentialsSource;
  /**
   * The configuration of an engine for one attempt. Asks the credentials' function, so it may take long and may reject
   * with whatever that throws. Without `handshakeTimeout`: that is what is left of the plan's `openTimeout`.
   *
   * @throws UsageError when what the credentials' function gave is not credentials.
   */
  engineConfig(): Promise<ConnectionConfig>;
}

/** How to connect: `ConnectOptions`, checked, with defaults. Shows no secret, whoever prints it. */
export interface ConnectPlan {
  /**
   * The places of one round, at least one, in the order of the options. Asks the endpoints' function and reads files,
   * each time it is called, so it may take long and may reject with whatever these throw.
   *
   * @throws UsageError when the endpoints' function gave none, or one that is not legal, or a file cannot be read.
   */
  targets(): Promise<readonly ConnectTarget[]>;
  /** Rounds, 1 or more; may be `Infinity`. */
  readonly connectionAttempts: number;
  /** Between two rounds. */
  readonly retryDelay: Millis;
  /** Per target, until its stream is open. 0 for none. */
  readonly connectTimeout: Millis;
  /** Per target, until it is open for AMQP. 0 for none. */
  readonly openTimeout: Millis;
  readonly signal: AbortSignal | undefined;
  /** `undefined`: a loss is the end. */
  readonly recovery: RecoveryPlan | undefined;
  readonly connectionName: string | undefined;
  readonly instrumentation: Instrumentation | undefined;
  /** Whoever looks on at the connection that is made; the connection adds it. */
  readonly observer?: Observer | undefined;
}
