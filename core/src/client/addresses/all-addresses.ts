/** Addresses of every transport: TCP, with TLS or without, unix domain sockets, and relays. */

import { UsageError } from "../../wire/errors.ts";
import type { Address, Addresses, TcpPlace } from "./addresses.ts";
import { webSocketOfParts, webSocketOfUri } from "./websocket-addresses.ts";
import type { TcpOptions, UnixEndpoint } from "../io-services.ts";
import {
  type Check,
  type Checks,
  checkOptions,
  duration,
  host,
  integer,
  named,
  oneOf,
  shortString,
  someText,
} from "../option-checks.ts";
import type { ConnectOptions, TcpAddress } from "../parameters.ts";
import { checkTls, checkTlsTogether, fileOptions, loadTls, mergeTls, noFiles } from "./tls-options.ts";
import { placeParameterNames } from "./places.ts";
import { parseUri } from "./uri.ts";
import type { ParsedUri } from "./uri-parts.ts";

const defaultHost = "localhost";
const defaultPort = 5672;
const defaultTlsPort = 5671;

const tcpOptionChecks: Checks<TcpOptions> = { keepAlive: duration };

const checkTcp: Check = (value, name) => checkOptions<TcpOptions>(value, tcpOptionChecks, name, `${name}.`);

const tcpChecks: Addresses["checks"] = { host, port: integer(1, 65_535), tls: checkTls, tcp: checkTcp };

const tcpAddressChecks: Checks<TcpAddress> = { transport: oneOf("tcp"), ...tcpChecks };

const unixChecks: Checks<UnixEndpoint> = { transport: oneOf("unix"), path: someText };

/** Addresses of every transport, for {@link connectWith}. Whether a runtime has the transport, its I/O services know. */
export const allAddresses: Addresses = {
  checks: tcpChecks,
  parse: parseUri,
  checkListed,
  ofOptions: (options) => tcpPlace(options, options.tls, options.tcp),
  ofUri,
  ofParts,
  check,
  complete: async (address, readFile) => {
    if (address.transport !== "tcp" || address.tls === undefined) return address;
    return { ...address, tls: await loadTls(address.tls, readFile) };
  },
};

function checkListed({ parameters }: ParsedUri, name: string): void {
  const foreign = Object.keys(parameters).find((key) => !placeParameterNames.some((known) => known === key));
  if (foreign !== undefined) {
    const message = `${name} sets ${foreign}, which counts for the connection as a whole; give it as an option`;
    throw new UsageError("INVALID_ARGUMENT", message);
  }
  const { virtualHost, locale } = parameters;
  if (virtualHost !== undefined) shortString(virtualHost, `${name}: virtualHost`);
  if (locale !== undefined) shortString(locale, `${name}: locale`);
}

function ofParts(element: object, options: ConnectOptions, name: string): Address {
  const transport = "transport" in element ? element.transport : undefined;
  const prefix = `${name}.`;
  if (transport === "websocket") return webSocketOfParts(element, options, name);
  if (transport === "unix") {
    checkOptions<UnixEndpoint>(element, unixChecks, name, prefix, ["path"]);
    return { transport: "unix", path: element.path };
  }
  checkOptions<TcpAddress>(element, tcpAddressChecks, name, prefix);
  return tcpPlace(element, joinTls(options.tls, element.tls), joinTcp(options.tcp, element.tcp));
}

function ofUri({ scheme, address }: ParsedUri, options: ConnectOptions, winner: "uri" | "options"): Address {
  if ("url" in address) return webSocketOfUri(address, options);
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

function check(address: Address, options: ConnectOptions, prefix: string): void {
  checkUse(address, options, prefix);
  if (address.transport !== "tcp") return;
  const { tls } = address;
  host(address.host, `${prefix}host`);
  if (tls === undefined) return;
  named(prefix, () => checkTlsTogether(tls));
  const [file] = fileOptions(tls);
  if (file !== undefined && options.readFile === undefined) throw noFiles(file);
}

/** An option that has no use at an address is refused there: whoever gave it expects something of it. */
function checkUse({ transport }: Address, { tls, tcp, protocols }: ConnectOptions, prefix: string): void {
  const useless = (name: string, where: string): UsageError =>
    new UsageError(
      "NOT_SUPPORTED",
      `${prefix}${name} counts for ${where}, and has no use with the transport ${transport}`,
    );
  if (transport !== "tcp" && tls !== undefined && tls !== false) throw useless("tls", "TCP; wss: is TLS by itself");
  if (transport !== "tcp" && tcp !== undefined) throw useless("tcp", "TCP");
  if (transport !== "websocket" && protocols !== undefined) throw useless("protocols", "WebSocket");
}
