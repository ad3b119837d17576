/** What all URIs have in common, and those of relays: {@link parseUri} (uri.ts) tells what is strict about them, and why. */

import { UsageError } from "../wire/errors.ts";
import type { WebSocketEndpoint } from "./io-services.ts";
import type { ConnectOptions, PasswordCredentials, TcpAddress } from "./parameters.ts";
import type { UriQuery } from "./uri-query.ts";

/** What a URI says. */
export interface ParsedUri {
  readonly scheme: "amqp" | "amqps" | "ws" | "wss";
  readonly address: TcpAddress | WebSocketEndpoint;
  /** Everything else; credentials are a function, which hides them. */
  readonly parameters: UriParameters;
}

/** The options that a URI can set besides the address. */
export type UriParameters = Omit<UriQuery, "authMechanism" | "tls" | "tcp"> &
  Pick<ConnectOptions, "credentials" | "virtualHost">;

/** A URI, taken apart. */
export interface UriParts<Scheme extends ParsedUri["scheme"] = ParsedUri["scheme"]> {
  readonly scheme: Scheme;
  readonly user: PasswordCredentials | undefined;
  /** An IPv6 address has no brackets any more. */
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string;
  readonly query: string | undefined;
}

const longestUri = 65_536;
const schemes: readonly ParsedUri["scheme"][] = ["amqp", "amqps", "ws", "wss"];
const parts = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/;

/** @throws UsageError INVALID_ARGUMENT. */
export function splitUri(uri: string): UriParts {
  if (uri.length > longestUri) throw illegalUri(`is longer than ${longestUri} characters`);
  // eslint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f\u007f]/.test(uri)) throw illegalUri("contains white space; inside of a name it is written %20");
  const match = parts.exec(uri);
  if (match === null) throw illegalUri("does not start with amqp://, amqps://, ws:// or wss://");
  const [, given = "", authority = "", path = "", query, fragment] = match;
  if (fragment !== undefined)
    throw illegalUri("contains a #; in a user name, password or virtual host it is written %23");
  const scheme = schemes.find((known) => known === given.toLowerCase());
  if (scheme === undefined) throw illegalUri(`has the scheme ${given}:, which is none of amqp:, amqps:, ws: and wss:`);
  return { scheme, ...splitAuthority(authority), path, query };
}

/** Whether it is the URL of a relay. */
export function isRelay(uri: UriParts): uri is UriParts<"ws" | "wss"> {
  return uri.scheme === "ws" || uri.scheme === "wss";
}

/** The URL of a relay: path and query are the relay's, user name and password AMQP's. */
export function relayOf({ scheme, user, host, port, path, query }: UriParts<"ws" | "wss">): ParsedUri {
  if (host === "") throw illegalUri("has no host");
  const origin = `${scheme}://${bracketed(host)}${port === undefined ? "" : `:${port}`}`;
  const url = origin + path + (query === undefined ? "" : `?${query}`);
  return {
    scheme,
    address: hideToken({ transport: "websocket", url }),
    parameters: user === undefined ? {} : { credentials: () => user },
  };
}

function splitAuthority(authority: string): Pick<UriParts, "user" | "host" | "port"> {
  const at = authority.indexOf("@");
  if (at !== authority.lastIndexOf("@")) throw illegalUri("has two @; in a user name or password it is written %40");
  const userInfo = at === -1 ? undefined : authority.slice(0, at);
  const place = /^(?:\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%25[\w.~-]+)?)\]|([^:[\]]*))(?::([0-9]*))?$/.exec(
    authority.slice(at + 1),
  );
  // What stands where the port should be may be the first half of a password with a slash in it: it is not shown.
  if (place === null) {
    throw illegalUri(
      "has a host or port that cannot be read; / ? # [ ] @ in a user name or password are written in percent-encoding",
    );
  }
  const [, address, name = "", digits = ""] = place;
  const port = digits === "" ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) throw illegalUri("has a port that is not from 1 to 65535");
  const host = decode(address ?? name, "host").toLowerCase();
  if (address === undefined && /[/?#@:\s[\]]/.test(host))
    throw illegalUri("has a host that is not a name or an address");
  return { user: userInfo === undefined ? undefined : parseUserInfo(userInfo), host, port };
}

function parseUserInfo(userInfo: string): PasswordCredentials {
  const colon = userInfo.indexOf(":");
  if (colon === -1) throw illegalUri("has a user name without a password; an empty password is written user:@");
  const username = decode(userInfo.slice(0, colon), "user name");
  const password = decode(userInfo.slice(colon + 1), "password");
  return { username, password };
}

/** Undoes the percent-encoding of a part. */
export function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The runtime's error is not the cause: it may quote what could not be decoded.
    throw illegalUri(`has a ${part} that is not percent-encoded UTF-8; a % itself is written %25`);
  }
}

/** An IPv6 address in a URL needs its brackets again. */
function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** A relay's URL may have a token in its query: then the URL is there, but not shown. */
export function hideToken(endpoint: WebSocketEndpoint): WebSocketEndpoint {
  const { url, protocols } = endpoint;
  const shown = { transport: "websocket", ...(protocols === undefined ? {} : { protocols }) } as WebSocketEndpoint;
  return Object.defineProperty(shown, "url", { value: url, enumerable: !url.includes("?") });
}

/** The error about a URI. It says what is wrong, and shows nothing of it. */
export function illegalUri(what: string): UsageError {
  return new UsageError("INVALID_ARGUMENT", `The URI ${what}`);
}
