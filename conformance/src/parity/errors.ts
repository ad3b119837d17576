/** Errors: Pika's classes, and how each is told here. */

import { type ParitySection, row } from "./row.ts";

const facts = (title: string): string => `core/src/client/error-facts.test.ts > ${title}`;

export const errorRows: ParitySection = {
  title: "Errors",
  rows: [
    row("AMQPError", "`AmqpError`, of everything, connecting included", facts("of every class is in this table")),
    row(
      "AMQPConnectionError, StreamLostError, ConnectionClosedByBroker",
      "`ConnectionError` with a `code`, and the server's words",
      "connections: is told apart as Pika's users do it: closed by the server, a channel's error, any other loss",
      facts("says what the server said, also when it was the cause of another"),
    ),
    row(
      "ConnectionClosedByClient",
      "no error: `closed` resolves without a reason",
      "connections: can be closed twice, and when it is closed; what comes afterwards is refused",
    ),
    row(
      "ConnectionOpenAborted",
      "CONNECT_ABORTED",
      "connecting that fails: a signal ends it at any moment, and nothing is left",
    ),
    row(
      "IncompatibleProtocolError, ProtocolVersionMismatch",
      "",
      "core/src/wire/greeting.test.ts > recognises %s",
      "TLS: says that a port speaks TLS, and that one does not",
    ),
    row(
      "AuthenticationError, ProbableAuthenticationError, ProbableAccessDeniedError",
      "NO_COMMON_MECHANISM, AUTHENTICATION_FAILED, VIRTUAL_HOST_REFUSED",
      "connecting that fails: no mechanism in common is told, with the names of both sides",
      "connecting that fails: a wrong password is told at once, with the server's words, and without the password",
      "connecting that fails: a virtual host that does not exist is told",
    ),
    row(
      "NoFreeChannels, InvalidChannelNumber",
      "LIMIT_REACHED, INVALID_ARGUMENT",
      "core/src/engine/channels.test.ts > come to an end at channel-max",
      "core/src/engine/channels.test.ts > are refused when they are out of range: %s",
    ),
    row(
      "ConnectionWrongStateError, ChannelWrongStateError",
      "the reason of the end, with the outcome `not-sent`",
      "channels: are closed by the server when it refuses a call, and only they",
    ),
    row(
      "ConnectionBlockedTimeout, AMQPHeartbeatTimeout",
      "",
      "connections: blocked for longer than blockedTimeout ends",
      "connections: ends when the server falls silent",
    ),
    row(
      "AMQPChannelError, ChannelClosedByBroker",
      "`ChannelError` with reply code, text and method",
      "channels: are closed by the server when it refuses a call, and only they",
    ),
    row(
      "DuplicateConsumerTag",
      "",
      "consuming: with a tag that is in use are refused before the server would close the connection",
    ),
    row(
      "ConsumerCancelled",
      "",
      "iterating: a loop throws when the server cancels the consumer, or closes the channel",
    ),
    row(
      "UnroutableError, NackError",
      "of one message each, by its promise",
      "confirms: mandatory messages that nobody takes are told apart from the others, with many in flight",
      "confirms: a queue that is full refuses, and that is told",
    ),
    row(
      "ProtocolSyntaxError and its kinds",
      "`ProtocolError` with a `code`",
      "core/src/wire/frame-reader.test.ts > is a ProtocolError whatever the bytes are, and reading always ends",
    ),
    row(
      "UnsupportedAMQPFieldException, ShortStringTooLong",
      "`UsageError` at the call, naming the entry",
      "core/src/wire/table.test.ts > refuses %s, and names the entry",
    ),
    row(
      "AMQPConnectorException and its kinds",
      "`ConnectAttemptError` with phase, code and cause",
      "core/src/client/dialing.test.ts > names every attempt, its endpoint and its phase when all fail",
    ),
    row("host and port in what is shown", "and never a password", "core/src/client/dialing.test.ts > are in no error"),
    row(
      "the cause is lost (#1240, #1437)",
      "causes are chained",
      facts("says what the server said, also when it was the cause of another"),
    ),
    row(
      "stack traces",
      "point at the call, also of a promise that rejects later",
      facts("point at whoever made a call, also when nobody awaits it"),
      "observability: errors name the function that made the call",
    ),
  ],
};
