/** Parameters, URLs, TLS and credentials. */

import { type ParitySection, row } from "./row.ts";

const plan = (title: string): string => `core/src/client/plan.test.ts > ${title}`;
const uri = (title: string): string => `core/src/client/addresses/uri.test.ts > ${title}`;

export const parameterRows: ParitySection = {
  title: "Parameters, URLs, TLS and credentials",
  rows: [
    row("defaults", "localhost, 5672 or 5671, `/`, guest", plan("knows what to do without any option")),
    row(
      "host, port, virtual_host",
      "the port follows TLS; a port is checked, which Pika does not do",
      plan("takes the port that belongs to the scheme, or to TLS"),
      "connecting that fails: options that make no sense are refused before anything is sent",
    ),
    row(
      "channel_max, frame_max, heartbeat, locale, client_properties",
      "`capabilities` are merged, where Pika replaces them",
      plan("passes every parameter of the handshake on to the engine"),
      "core/src/engine/client-properties.test.ts > lets the caller's properties win, and merges capabilities",
      "connecting: agrees on the smaller channel-max and frame-max",
    ),
    row(
      "heartbeat as a function",
      "of the server's proposal",
      "connecting: lets the client's heartbeat win, zero and a function included",
    ),
    row(
      "connection_attempts, retry_delay",
      "of the connection",
      plan("passes the parameters of the connection on"),
      "core/src/client/dialing.test.ts > begins each round with the first endpoint, and waits between rounds only",
    ),
    row(
      "socket_timeout, stack_timeout",
      "`connectTimeout`, `openTimeout`",
      "core/src/client/dialing.test.ts > gives a transport connectTimeout",
      "core/src/client/dialing.test.ts > gives the whole stack openTimeout: a server that accepts and says nothing",
      "core/src/client/dialing.test.ts > needs neither",
    ),
    row(
      "blocked_connection_timeout",
      "counts from the first reason on",
      "core/src/engine/connection.test.ts > may last blockedTimeout from the first reason on",
      "connections: blocked for longer than blockedTimeout ends",
    ),
    row(
      "tcp_options",
      "keep-alive; no-delay is always on",
      "core/src/client/addresses/uri-query.test.ts > has the passphrase where it is looked for by name",
      plan("passes the parameters of the connection on"),
    ),
    row("a bad parameter", "a typed error that names it", plan("that are missing or endless are the caller's mistake")),
    row(
      "parameters are copied",
      "later changes of the caller's object change nothing",
      plan("is not moved by later changes of the options"),
    ),
    row(
      "`SSLOptions`",
      "authorities, certificates, keys, the name to verify; verification is on",
      "TLS: connects to a server whose authority is trusted, and carries messages",
      "TLS: refuses a server that is not who it should be",
      "io: tls: serverName is asked for and verified in place of the host, without a final dot",
      "TLS: logs in with the client's certificate",
    ),
    row("`URLParameters`: schemes", "amqp and amqps", uri("tells TLS from plain TCP by the scheme")),
    row("`URLParameters`: IPv6", "in brackets, with a zone", uri("takes an IPv6 address with a zone and a port")),
    row(
      "`URLParameters`: percent-encoding",
      "of user, password and virtual host",
      uri("decodes user name, password and virtual host as percent-encoded UTF-8"),
    ),
    row(
      "`URLParameters`: a user without a password",
      "is refused",
      uri("amqp://user@ is refused, since a password that is missing is more often forgotten than empty"),
    ),
    row(
      "`URLParameters`: query keys",
      "Pika's names; JSON where Pika takes literals of Python; unknown and repeated keys are refused",
      "core/src/client/addresses/uri-query.test.ts > has the passphrase where it is looked for by name",
      "connecting: takes a URI",
    ),
    row(
      "PlainCredentials",
      "PLAIN",
      "core/src/engine/sasl.test.ts > PLAIN is an empty identity, user and password, with NUL in front of each",
    ),
    row("ExternalCredentials", "EXTERNAL", "TLS: logs in with the client's certificate"),
    row(
      "credentials of one's own",
      "a mechanism with any number of turns; Pika ignores a challenge",
      "core/src/engine/handshake.test.ts > answers any number of challenges",
      plan("may be a mechanism, or several"),
    ),
    row(
      "AMQPLAIN, which Pika lacks",
      "",
      "connecting: logs in with AMQPLAIN, and with the first mechanism that both have",
    ),
    row(
      "erase_on_connect",
      "a function is asked before every attempt, and nothing shows a secret",
      "connecting: asks a function for credentials before every attempt",
      plan("do not show in a plan, its targets or its configurations (${index})"),
    ),
  ],
};
