/**
 * URIs: `amqp://user:password@host:port/vhost?key=value`, as the RabbitMQ URI specification defines them
 * (rabbitmq.com/docs/uri-spec), and `ws:` and `wss:` for relays.
 *
 * The parser is strict, because what a URI does not say in the right way ends in the wrong place: half a password
 * becomes a port or a virtual host. And it never shows the URI, nor any part of it that could be a secret.
 */

import { amqplain, anonymous, external, plain } from "../../engine/sasl.ts";
import { guest } from "../credentials.ts";
import type { PasswordCredentials, TcpAddress } from "../parameters.ts";
import { decode, illegalUri, type ParsedUri, parseUserInfo, type UriParameters } from "./uri-parts.ts";
import { isRelay, parseRelay } from "./uri-relay.ts";
import { type AuthMechanism, parseQuery } from "./uri-query.ts";

/** A URI, taken apart. */
interface UriParts {
  readonly scheme: "amqp" | "amqps";
  readonly user: PasswordCredentials | undefined;
  /** An IPv6 address has no brackets any more. */
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string;
  readonly query: string | undefined;
}

const longestUri = 65_536;
const schemes: readonly UriParts["scheme"][] = ["amqp", "amqps"];
const parts = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/;

/**
 * Parses a URI.
 *
 * User name, password, virtual host and the values of parameters are percent-encoded UTF-8. What is absent has its
 * default: the host `localhost`, the port 5672 (`amqps:` 5671), the user guest, the virtual host `/`. Without a path
 * the virtual host is absent, while the path `/` is the virtual host whose name is empty; the virtual host `/` is
 * written `%2F`.
 *
 * `ws:` and `wss:` are the URL of a relay: path and query belong to the relay and stay as they are. User name and
 * password are AMQP's and are taken out of it; the virtual host and all parameters are options beside `uri`.
 *
 * @throws UsageError INVALID_ARGUMENT.
 */
export function parseUri(uri: string): ParsedUri {
  if (isRelay(uri)) return parseRelay(uri);
  const { scheme, user, host, port, path, query } = splitUri(uri);
  const { tls, tcp, authMechanism, ...parameters } = query === undefined ? {} : parseQuery(query);
  if (scheme === "amqp" && tls !== undefined) {
    throw illegalUri("has parameters of TLS, which amqp: does not use; amqps: does");
  }
  const address: TcpAddress = {
    transport: "tcp",
    host: host === "" ? undefined : host,
    port,
    tls: scheme === "amqps" ? (tls ?? true) : undefined,
    tcp,
  };
  return { scheme, address, parameters: { ...parameters, ...login(user, authMechanism), ...parsePath(path) } };
}

function login(user: PasswordCredentials | undefined, mechanism: AuthMechanism | undefined): UriParameters {
  if (mechanism === undefined) return user === undefined ? {} : { credentials: () => user };
  if (mechanism === "external" || mechanism === "anonymous") {
    if (user !== undefined) throw illegalUri(`has a user name, which auth_mechanism ${mechanism} does not use`);
    return { credentials: mechanism === "external" ? external() : anonymous() };
  }
  const { username, password } = user ?? guest;
  return { credentials: mechanism === "plain" ? plain(username, password) : amqplain(username, password) };
}

function parsePath(path: string): UriParameters {
  if (path === "") return {};
  if (path.includes("/", 1)) throw illegalUri("has a path of several segments; in a virtual host / is written %2F");
  return { virtualHost: decode(path.slice(1), "virtual host") };
}

function splitUri(uri: string): UriParts {
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
      "has a host or port that cannot be read; / ? # [ ] @ in a user name or password are percent-encoded",
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
