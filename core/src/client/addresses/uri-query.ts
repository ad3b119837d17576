/**
 * The parameters in the query of an `amqp:` or `amqps:` URI: RabbitMQ's own (rabbitmq.com/docs/uri-query-parameters)
 * and those of Pika's `URLParameters`, each in the unit that it has there.
 *
 * | parameter | option | value |
 * |---|---|---|
 * | `heartbeat` | `heartbeat` | seconds, whole |
 * | `channel_max`, `frame_max`, `locale` | `channelMax`, `frameMax`, `locale` | |
 * | `connection_timeout` | `connectTimeout` | milliseconds |
 * | `socket_timeout` | `connectTimeout` | seconds |
 * | `stack_timeout` | `openTimeout` | seconds |
 * | `blocked_connection_timeout` | `blockedTimeout` | seconds; 0 is for ever, while Pika closes at once |
 * | `connection_attempts`, `retry_delay` | `connectionAttempts`, `retryDelay` | a number; seconds |
 * | `auth_mechanism` | `credentials` | `external` or `anonymous`; `plain` and `amqplain` with the user of the URI |
 * | `client_properties` | `clientProperties` | a JSON object |
 * | `cacertfile`, `certfile`, `keyfile`, `password` | `tls.caFile`, `certFile`, `keyFile`, `passphrase` | |
 * | `verify` | `tls.verify` | `verify_peer` or `verify_none` |
 * | `server_name_indication` | `tls.serverName` | |
 * | `ssl_options` | `tls` | a JSON object, see `sslOptions` |
 * | `tcp_options` | `tcp` | a JSON object with `TCP_KEEPIDLE`, seconds |
 */

import type { Millis } from "../../engine/config.ts";
import { UsageError } from "../../wire/errors.ts";
import type { TcpOptions } from "../io-services.ts";
import { isRecord } from "../option-checks.ts";
import type { ConnectOptions, TlsFileOptions } from "../parameters.ts";
import { mergeTls } from "./tls-options.ts";

/** The options that the query of a URI can set. */
export type UriQuery = Pick<
  ConnectOptions,
  | "blockedTimeout"
  | "channelMax"
  | "clientProperties"
  | "connectTimeout"
  | "connectionAttempts"
  | "frameMax"
  | "heartbeat"
  | "locale"
  | "openTimeout"
  | "retryDelay"
> & {
  readonly authMechanism?: AuthMechanism;
  readonly tls?: TlsFileOptions;
  readonly tcp?: TcpOptions;
};

/** The SASL mechanisms that a URI can name. */
export type AuthMechanism = (typeof authMechanisms)[number];

const authMechanisms = ["plain", "amqplain", "external", "anonymous"] as const;

/** What one parameter sets: reads the decoded value, or throws an error that names the key. */
type Parameter = (value: string, key: string) => UriQuery;

const parameters: Readonly<Record<string, Parameter>> = {
  heartbeat: (value, key) => ({ heartbeat: whole(value, key) }),
  channel_max: (value, key) => ({ channelMax: whole(value, key) }),
  frame_max: (value, key) => ({ frameMax: whole(value, key) }),
  locale: (value) => ({ locale: value }),
  connection_timeout: (value, key) => ({ connectTimeout: whole(value, key) }),
  socket_timeout: (value, key) => ({ connectTimeout: seconds(value, key) }),
  stack_timeout: (value, key) => ({ openTimeout: seconds(value, key) }),
  blocked_connection_timeout: (value, key) => ({ blockedTimeout: seconds(value, key) }),
  connection_attempts: (value, key) => ({ connectionAttempts: whole(value, key) }),
  retry_delay: (value, key) => ({ retryDelay: seconds(value, key) }),
  auth_mechanism: (value, key) => ({ authMechanism: word(value, key, authMechanisms) }),
  client_properties: (value, key) => ({ clientProperties: json(value, key) as ConnectOptions["clientProperties"] }),
  cacertfile: (value) => ({ tls: { caFile: value } }),
  certfile: (value) => ({ tls: { certFile: value } }),
  keyfile: (value) => ({ tls: { keyFile: value } }),
  password: (value) => ({ tls: { passphrase: value } }),
  verify: (value, key) => ({ tls: { verify: word(value, key, ["verify_peer", "verify_none"]) === "verify_peer" } }),
  server_name_indication: (value) => ({ tls: { serverName: value } }),
  ssl_options: (value, key) => ({ tls: sslOptions(json(value, key), key) }),
  tcp_options: (value, key) => ({ tcp: tcpOptions(json(value, key), key) }),
};

type SslOption = "ca" | "caFile" | "certFile" | "keyFile" | "passphrase" | "ciphers" | "serverName";

/** The keys of Pika's `ssl_options`. Its `capath` and `protocol` have no counterpart in a JavaScript runtime. */
const sslOptionNames: Readonly<Record<string, SslOption>> = {
  cafile: "caFile",
  ca_certs: "caFile",
  cadata: "ca",
  ca_data: "ca",
  certfile: "certFile",
  keyfile: "keyFile",
  password: "passphrase",
  ciphers: "ciphers",
  server_hostname: "serverName",
};

/**
 * Parses the query of a URI, without its question mark.
 *
 * @throws UsageError INVALID_ARGUMENT for a key that is unknown, comes twice, or sets what another has set; it names the key, never a value.
 */
export function parseQuery(query: string): UriQuery {
  // A password with a ? in it ends up here, and its pieces would be named as keys; then there is an @ behind it.
  if (query.includes("@")) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      "The URI has an @ in its query; write @ as %40, and ? in a password as %3F",
    );
  }
  const seen = new Set<string>();
  let result: UriQuery = {};
  for (const pair of query === "" ? [] : query.split("&")) {
    const [key, value] = splitPair(pair);
    const parameter = Object.hasOwn(parameters, key) ? parameters[key] : undefined;
    if (parameter === undefined) {
      const known = Object.keys(parameters).join(", ");
      throw new UsageError("INVALID_ARGUMENT", `URI parameter ${name(key)} is unknown; known are ${known}`);
    }
    if (seen.has(key)) throw illegalParameter(key, "comes twice");
    if (value === "") throw illegalParameter(key, "has no value");
    seen.add(key);
    result = join(result, parameter(value, key), key);
  }
  return result;
}

function splitPair(pair: string): readonly [key: string, value: string] {
  const equals = pair.indexOf("=");
  const key = decode(equals === -1 ? pair : pair.slice(0, equals), undefined);
  return [key, equals === -1 ? "" : decode(pair.slice(equals + 1), key)];
}

function join(before: UriQuery, addition: UriQuery, key: string): UriQuery {
  const overlap = commonName(before, addition, ["tls", "tcp"]) ?? commonName(before.tls ?? {}, addition.tls ?? {}, []);
  if (overlap !== undefined)
    throw illegalParameter(key, `sets the option ${overlap}, which another parameter sets too`);
  if (addition.tls === undefined) return { ...before, ...addition };
  return { ...before, tls: mergeTls(before.tls ?? {}, addition.tls) };
}

function commonName(one: object, other: object, except: readonly string[]): string | undefined {
  return Object.keys(other).find((name) => Object.hasOwn(one, name) && !except.includes(name));
}

function sslOptions(given: Readonly<Record<string, unknown>>, key: string): TlsFileOptions {
  const options: Partial<Record<SslOption, string>> = {};
  for (const [inner, value] of Object.entries(given)) {
    const option = Object.hasOwn(sslOptionNames, inner) ? sslOptionNames[inner] : undefined;
    if (option === undefined) {
      throw illegalParameter(key, `has ${name(inner)}, which is none of ${Object.keys(sslOptionNames).join(", ")}`);
    }
    if (typeof value !== "string") throw illegalParameter(key, `has a ${inner} that is not a string`);
    if (options[option] !== undefined) throw illegalParameter(key, `sets the option tls.${option} twice`);
    options[option] = value;
  }
  return options;
}

function tcpOptions(given: Readonly<Record<string, unknown>>, key: string): TcpOptions {
  const { TCP_KEEPIDLE: idle, ...others } = given;
  for (const other of Object.keys(others)) {
    throw new UsageError(
      "NOT_SUPPORTED",
      `URI parameter ${key} has ${name(other)}; of the options of TCP, TCP_KEEPIDLE alone can be set`,
    );
  }
  if (typeof idle !== "number" || !(idle >= 0)) throw illegalParameter(key, "has no TCP_KEEPIDLE, a number of seconds");
  return { keepAlive: idle * 1000 };
}

function whole(value: string, key: string): number {
  if (!/^[0-9]{1,15}$/.test(value)) throw illegalParameter(key, "is not a whole number");
  return Number(value);
}

function seconds(value: string, key: string): Millis {
  if (!/^[0-9]{1,12}(?:\.[0-9]{1,9})?$/.test(value)) throw illegalParameter(key, "is not a number of seconds");
  return Number(value) * 1000;
}

function word<W extends string>(value: string, key: string, words: readonly W[]): W {
  const found = words.find((known) => known === value.toLowerCase());
  if (found === undefined) throw illegalParameter(key, `is none of ${words.join(", ")}`);
  return found;
}

function json(value: string, key: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    // The runtime's error is not the cause: it quotes the text, and ssl_options may contain a passphrase.
    throw illegalParameter(key, "is not JSON");
  }
  if (!isRecord(parsed)) throw illegalParameter(key, "is not a JSON object");
  return parsed;
}

function decode(text: string, key: string | undefined): string {
  try {
    return decodeURIComponent(text);
  } catch {
    if (key !== undefined) throw illegalParameter(key, "is not percent-encoded UTF-8");
    throw new UsageError("INVALID_ARGUMENT", "A URI parameter has a name that is not percent-encoded UTF-8");
  }
}

/** A key for an error. The tail of a password with a question mark in it ends up as a key, so only a plain word is shown. */
function name(key: string): string {
  return /^[a-z][a-z_]{0,40}$/i.test(key) ? key : "(not a plain word)";
}

function illegalParameter(key: string, what: string): UsageError {
  return new UsageError("INVALID_ARGUMENT", `URI parameter ${key} ${what}`);
}
