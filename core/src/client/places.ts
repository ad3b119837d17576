/** Places: where to connect to and what to say there, from a URI, from options or from a list; files are not read yet. */

import { checkProposals } from "../engine/tuning.ts";
import { UsageError } from "../wire/errors.ts";
import type { Endpoint, TcpOptions, UnixEndpoint, WebSocketEndpoint } from "./io-services.ts";
import {
  type Checks,
  checkOptions,
  duration,
  host,
  illegal,
  illegalSecret,
  integer,
  isRecord,
  oneOf,
  shortString,
  someText,
  someTexts,
} from "./option-checks.ts";
import type { ConnectOptions, TcpAddress, TlsFileOptions } from "./parameters.ts";
import { checkTls, checkTlsTogether, fileOptions, loadTls, mergeTls, noFiles } from "./tls-options.ts";
import { hideToken, type ParsedUri, parseUri, type UriParameters } from "./uri.ts";

/** One place, checked. */
export interface Place {
  readonly address: TcpPlace | UnixEndpoint | WebSocketEndpoint;
  readonly parameters: PlaceParameters;
}

/** The options that may differ from place to place: what is said in the handshake. */
export type PlaceParameters = Pick<ConnectOptions, (typeof placeParameterNames)[number]>;

interface TcpPlace {
  readonly transport: "tcp";
  readonly host: string;
  readonly port: number;
  readonly tls: TlsFileOptions | undefined;
  readonly tcp: TcpOptions | undefined;
}

const placeParameterNames = [
  "credentials",
  "virtualHost",
  "connectionName",
  "clientProperties",
  "locale",
  "channelMax",
  "frameMax",
  "heartbeat",
] as const;

const mostEndpoints = 1024;
const defaultHost = "localhost";
const defaultPort = 5672;
const defaultTlsPort = 5671;

const tcpChecks: Checks<TcpOptions> = { keepAlive: duration };

const tcpAddressChecks: Checks<TcpAddress> = {
  transport: oneOf("tcp"),
  host,
  port: integer(1, 65_535),
  tls: checkTls,
  tcp: checkTcp,
};

const unixChecks: Checks<UnixEndpoint> = { transport: oneOf("unix"), path: someText };

const webSocketChecks: Checks<WebSocketEndpoint> = {
  transport: oneOf("websocket"),
  url: (value, name) => {
    if (typeof value !== "string" || !/^wss?:\/\/[^/?#@\s]+[^#@\s]*$/i.test(value)) {
      throw illegalSecret(name, "a URL that starts with ws:// or wss://, without user name and fragment");
    }
  },
  protocols: someTexts,
};

/** Checks the option `tcp`. */
export function checkTcp(value: unknown, name: string): void {
  checkOptions<TcpOptions>(value, tcpChecks, name, `${name}.`);
}

/** The place that `host`, `port`, `tls` and `tcp` say. */
export function placeOfOptions(options: ConnectOptions): Place {
  return checked(
    { address: tcpPlace(options, options.tls, options.tcp), parameters: parametersOf(options) },
    options,
    "",
  );
}

/** The place that `uri` says, with the options beside it, which win; `options` has the parameters of the URI already. */
export function placeOfUri(uri: ParsedUri, options: ConnectOptions): Place {
  return checked({ address: addressOfUri(uri, options, "options"), parameters: parametersOf(options) }, options, "");
}

/**
 * The places of a list. What an element says wins over the options.
 *
 * @param name The list's own, for errors.
 * @throws UsageError when the list or an element of it is not legal.
 */
export function listedPlaces(list: unknown, options: ConnectOptions, name: string): readonly Place[] {
  if (!Array.isArray(list)) throw illegal(name, "an array of endpoints", list);
  if (list.length === 0 || list.length > mostEndpoints) {
    throw illegalSecret(name, `an array of 1 to ${mostEndpoints} endpoints, not of ${list.length}`);
  }
  return list.map((element: unknown, index) => listedPlace(element, options, `${name}[${index}]`));
}

/**
 * The endpoint of a place; reads its files.
 *
 * @throws UsageError when one cannot be read.
 */
export async function endpointOf(address: Place["address"], readFile: ConnectOptions["readFile"]): Promise<Endpoint> {
  if (address.transport !== "tcp" || address.tls === undefined) return address;
  return { ...address, tls: await loadTls(address.tls, readFile) };
}

function listedPlace(element: unknown, options: ConnectOptions, name: string): Place {
  const parameters = parametersOf(options);
  if (typeof element !== "string" && !isRecord(element)) throw illegal(name, "a URI or an object", element);
  if (typeof element === "string") {
    const uri = named(`${name}: `, () => parseUri(element));
    const own = placeParametersOf(uri.parameters, name);
    const address = addressOfUri(uri, options, "uri");
    return checked({ address, parameters: { ...parameters, ...own } }, options, `${name}: `);
  }
  return checked({ address: addressOfParts(element, options, name), parameters }, options, `${name}: `);
}

function addressOfParts(element: object, options: ConnectOptions, name: string): Place["address"] {
  const transport = "transport" in element ? element.transport : undefined;
  const prefix = `${name}.`;
  if (transport === "unix") {
    checkOptions<UnixEndpoint>(element, unixChecks, name, prefix, ["path"]);
    return { transport: "unix", path: element.path };
  }
  if (transport === "websocket") {
    checkOptions<WebSocketEndpoint>(element, webSocketChecks, name, prefix, ["url"]);
    return hideToken({ ...element, url: element.url, protocols: element.protocols ?? options.protocols });
  }
  checkOptions<TcpAddress>(element, tcpAddressChecks, name, prefix);
  return tcpPlace(element, joinTls(options.tls, element.tls), joinTcp(options.tcp, element.tcp));
}

function addressOfUri(uri: ParsedUri, options: ConnectOptions, winner: "uri" | "options"): Place["address"] {
  const { scheme, address } = uri;
  if ("url" in address) return hideToken({ ...address, url: address.url, protocols: options.protocols });
  if (scheme === "amqp" && options.tls !== undefined && options.tls !== false) {
    throw new UsageError("INVALID_ARGUMENT", "tls is given beside a URI with amqp:, which is plain TCP; amqps: is TLS");
  }
  if (scheme === "amqps" && options.tls === false) {
    throw new UsageError("INVALID_ARGUMENT", "tls is false beside a URI with amqps:, which is TLS");
  }
  const [under, over] = winner === "uri" ? [options, address] : [address, options];
  return tcpPlace(address, joinTls(under.tls, over.tls), joinTcp(under.tcp, over.tcp));
}

function tcpPlace(address: TcpAddress, tls: TcpAddress["tls"], tcp: TcpOptions | undefined): TcpPlace {
  const tlsOptions = tls === true ? {} : tls === false ? undefined : tls;
  return {
    transport: "tcp",
    host: address.host ?? defaultHost,
    port: address.port ?? (tlsOptions === undefined ? defaultPort : defaultTlsPort),
    tls: tlsOptions === undefined ? undefined : mergeTls({}, tlsOptions),
    tcp,
  };
}

function joinTls(under: TcpAddress["tls"], over: TcpAddress["tls"]): TcpAddress["tls"] {
  if (over === undefined) return under;
  if (over === false || typeof under !== "object") return over;
  return over === true ? under : mergeTls(under, over);
}

function joinTcp(under: TcpOptions | undefined, over: TcpOptions | undefined): TcpOptions | undefined {
  const keepAlive = over?.keepAlive ?? under?.keepAlive;
  return keepAlive === undefined ? undefined : { keepAlive };
}

function parametersOf(options: ConnectOptions): PlaceParameters {
  return Object.fromEntries(placeParameterNames.map((name) => [name, options[name]]));
}

function placeParametersOf(parameters: UriParameters, name: string): PlaceParameters {
  const foreign = Object.keys(parameters).find((key) => !placeParameterNames.some((known) => known === key));
  if (foreign !== undefined) {
    const message = `${name} sets ${foreign}, which counts for the connection as a whole; give it as an option`;
    throw new UsageError("INVALID_ARGUMENT", message);
  }
  return parameters;
}

/** What can only be checked when everything that is said of a place is together. */
function checked(place: Place, options: ConnectOptions, prefix: string): Place {
  const { address, parameters } = place;
  const { virtualHost, locale } = parameters;
  if (virtualHost !== undefined) shortString(virtualHost, `${prefix}virtualHost`);
  if (locale !== undefined) shortString(locale, `${prefix}locale`);
  named(prefix, () => checkProposals({ mechanisms: [], ...parameters }));
  checkUse(address, options, prefix);
  if (address.transport !== "tcp") return place;

  const { tls } = address;
  host(address.host, `${prefix}host`);
  if (tls === undefined) return place;
  named(prefix, () => checkTlsTogether(tls));
  const [file] = fileOptions(tls);
  if (file !== undefined && options.readFile === undefined) throw noFiles(file);
  return place;
}

/** An option that has no use at a place is refused there: whoever gave it expects something of it. */
function checkUse({ transport }: Place["address"], { tls, tcp, protocols }: ConnectOptions, prefix: string): void {
  const useless = (name: string, where: string): UsageError =>
    new UsageError(
      "NOT_SUPPORTED",
      `${prefix}${name} counts for ${where}, and has no use with the transport ${transport}`,
    );
  if (transport !== "tcp" && tls !== undefined && tls !== false) throw useless("tls", "TCP; wss: is TLS by itself");
  if (transport !== "tcp" && tcp !== undefined) throw useless("tcp", "TCP");
  if (transport !== "websocket" && protocols !== undefined) throw useless("protocols", "WebSocket");
}

/** Runs a check whose errors do not know what they are about. */
function named<T>(prefix: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.code, prefix + error.message);
    throw error;
  }
}
