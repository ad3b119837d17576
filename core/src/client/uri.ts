/**
 * URIs: `amqp://user:password@host:port/vhost?key=value`, as the RabbitMQ URI specification defines them
 * (rabbitmq.com/docs/uri-spec), and `ws:` and `wss:` for relays.
 *
 * The parser is strict, because what a URI does not say in the right way ends in the wrong place: half a password
 * becomes a port or a virtual host. And it never shows the URI, nor any part of it that could be a secret.
 */

import { amqplain, anonymous, external, plain } from "../engine/sasl.ts";
import { guest } from "./credentials.ts";
import type { PasswordCredentials, TcpAddress } from "./parameters.ts";
import { decode, illegalUri, isRelay, type ParsedUri, relayOf, splitUri, type UriParameters } from "./uri-parts.ts";
import { type AuthMechanism, parseQuery } from "./uri-query.ts";

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
  const uriParts = splitUri(uri);
  if (isRelay(uriParts)) return relayOf(uriParts);

  const { scheme, user, host, port, path, query } = uriParts;
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
