/** I/O services, and the way to a connection. */

import { type ParitySection, row } from "./row.ts";

const dialing = (title: string): string => `core/src/client/dialing.test.ts > ${title}`;

export const ioRows: ParitySection = {
  title: "I/O services: Pika's acceptance tests",
  rows: [
    row(
      "GetNativeIOLoop",
      "there is no loop to get: a runtime has one; it has a name",
      "io: loop: the runtime has a name",
    ),
    row("RunWithStopFromThreadsafeCallback", "a runtime's loop is not started or stopped by a client"),
    row("CallLaterDoesNotCallAheadOfTime", "", "io: loop: a timer is never early, and never inline"),
    row("CallLaterCancelReturnsNone", "", "io: loop: a timer that was cancelled never fires, however often it was"),
    row(
      "CallLaterCancelTwiceFromOwnCallback",
      "",
      "io: loop: a timer may be cancelled in its own call, twice, and after it",
    ),
    row("CallLaterCallInOrder", "", "io: loop: timers fire in the order of their deadlines, not of their making"),
    row(
      "CallLaterCancelledDoesNotCallBack",
      "",
      "io: loop: a timer that was cancelled never fires, however often it was",
    ),
    row(
      "SocketWatchers…, 13 tests",
      "no file descriptors are watched here; what they tell is told by streams: ends and halves of ends",
      "io: tcp: closed comes after everything that the peer said before its end, without a cause",
      "io: tcp: closed comes when the peer ends without a word",
      "io: tcp: end sends what was written, and the peer's answer still arrives",
      "io: connect: a port where nobody listens refuses",
    ),
    row("GetaddrinfoLocalhostPort80", "", "io: connect: a name is tried at its IPv4 address"),
    row(
      "GetaddrinfoNonExistentHost",
      "a failure is a value, of the kind of any other",
      "io: connect: a name that does not exist is not found",
    ),
    row(
      "GetaddrinfoCancelBeforeLoopRun, AfterLoopRun",
      "",
      "io: connect: abort in the turn of connect",
      "io: connect: abort while the name is looked up",
    ),
    row(
      "ConnectSocketIPv4Success, Fail",
      "",
      "io: connect: a name is tried at its IPv4 address",
      "io: connect: a port where nobody listens refuses",
    ),
    row("ConnectSocketToDisconnectedPeer", "", "io: connect: a port where nobody listens refuses"),
    row("ConnectSocketIPv4Cancel", "", "io: connect: abort and end before opened, at every turn of the way"),
    row("ConnectSocketIPv6Success, Fail", "", "io: connect: an IPv6 address is reached"),
    row(
      "StreamConnectorTxRx",
      "1 MB there and back; over TLS as well, where Pika never wrote the test",
      "io: tcp: 1 MB comes back intact and in order",
      "io: tls: 1 MB comes back intact and in order",
    ),
    row("StreamConnectorRaisesValueErrorFromUnconnectedSocket", "", "io: connect: a write before opened is refused"),
    row("StreamConnectorBrokenPipe", "", "io: tcp: writing to a peer that breaks the connection ends in one closed"),
    row("StreamConnectorEOFReceived", "", "io: tcp: closed comes when the peer ends without a word"),
    row(
      "StreamConnectorProtocolConstructorFails, ConnectionMadeFails",
      "",
      "io: tcp: an exception in opened or in writable ends the stream, and is the cause",
    ),
    row(
      "StreamConnectorEOFReceivedFails, DataReceivedFails",
      "",
      "io: tcp: an exception in received ends the stream, and is the cause",
    ),
    row(
      "StreamConnectorAbortTransport",
      "",
      "io: tcp: abort is followed by closed without a cause, and by nothing else",
    ),
    row("StreamConnectorCancelLinkup", "", "io: tls: abort while the peer lets the handshake wait"),
    row(
      "AddCallbackThreadsafe…, 3 tests",
      "tasks are posted, in order, never inline; from threads by messages",
      "io: loop: posted tasks run in order, and never inline",
    ),
    row("IOLoopStopBeforeIOLoopStarts", "a runtime's loop is not started or stopped by a client"),
    row(
      "ViabilityOfMultipleTimeoutsWithSameDeadlineAndCallback",
      "",
      "io: loop: timers with one deadline fire each for itself",
    ),
    row(
      "write flow control, which Pika lacks",
      "",
      "io: tcp: false from write is answered by exactly one writable, when the peer reads again",
    ),
    row("reading can be paused, which Pika lacks", "", "io: tcp: pause stops received until resume"),
    row("writes after abort", "", "io: tcp: after abort and after closed every call is harmless"),
  ],
};

export const workflowRows: ParitySection = {
  title: "Connecting",
  rows: [
    row("A_Connect", "", "connecting: opens a connection, and knows who the server is and what it can do"),
    row(
      "ConstructAndImmediatelyCloseConnection, CloseConnectionDuringAMQPHandshake",
      "by an `AbortSignal`, in any phase",
      "connecting that fails: a signal ends it at any moment, and nothing is left",
    ),
    row("SocketConnectTimeoutWithTinySocketTimeout", "", dialing("gives a transport connectTimeout")),
    row(
      "StackConnectionTimeoutWithTinyStackTimeout",
      "",
      "connecting that fails: a server that says nothing is given openTimeout",
    ),
    row("CreateConnectionViaDefaultConnectionWorkflow", "", dialing("opens, and knows what was negotiated")),
    row(
      "CreateConnectionViaCustomConnectionWorkflow",
      "`endpoints` and `credentials` may be functions; other ways to connect are I/O services of one's own",
      "connecting: asks a function for endpoints before every round",
    ),
    row(
      "CreateConnectionMultipleConfigsDefaultConnectionWorkflow",
      "",
      "connecting: goes on to the next endpoint when a port refuses, and when a name does not exist",
    ),
    row(
      "CreateConnectionRetriesWithDefaultConnectionWorkflow",
      "",
      "connecting that fails: when all endpoints fail, every attempt is named, and another round begins with the first",
    ),
    row(
      "CreateConnectionConnectionWorkflowSocketConnectionFailure",
      "one error that names every attempt and its phase",
      dialing("names every attempt, its endpoint and its phase when all fail"),
    ),
    row(
      "CreateConnectionAMQPHandshakeTimesOutDefaultWorkflow",
      "",
      dialing("gives the whole stack openTimeout: a server that accepts and says nothing"),
    ),
    row(
      "CreateConnectionAndImmediatelyAbort…, AndAsynchronouslyAbort…",
      "",
      dialing("ends before it began when the signal is aborted already"),
      "connecting that fails: a signal ends it at any moment, and nothing is left",
      "connecting that fails: a signal ends the pause between two rounds",
    ),
    row(
      "DisconnectDuringConnectionStart, Tune, Protocol",
      "the phase is told, not guessed into the name of an error",
      "connecting that fails: a connection that is cut after nothing says how far it had come",
      "connecting that fails: a connection that is cut after connection.start-ok says how far it had come",
      "connecting that fails: a connection that is cut after half of connection.start says how far it had come",
    ),
    row("Z_AccessDenied", "", "connecting that fails: a virtual host that does not exist is told"),
    row(
      "ProbableAuthenticationError",
      "the server's own words, since the client says that it can take them",
      "connecting that fails: a wrong password is told at once, with the server's words, and without the password",
    ),
    row(
      "AuthenticationError: no mechanism",
      "",
      "connecting that fails: no mechanism in common is told, with the names of both sides",
    ),
    row("CreateConnectionWithNoneSocketAndStackTimeouts", "", "connecting: works without any timeout"),
    row(
      "CreateConnectionFromTwoConfigsFirstUnreachable, FromTwoUnreachableConfigs, ConnectWithDownedBroker",
      "",
      "connecting: goes on to the next endpoint when a port refuses, and when a name does not exist",
      "connecting that fails: when all endpoints fail, every attempt is named, and another round begins with the first",
    ),
    row("one dial at a time", "", dialing("never has two dials open")),
  ],
};

export const connectionRows: ParitySection = {
  title: "Connections",
  rows: [
    row(
      "CreateAndCloseConnection, ConnectionProperties",
      "",
      "connecting: opens a connection, and knows who the server is and what it can do",
    ),
    row(
      "MultiCloseConnectionRaisesWrongState",
      "closing twice is no error, and waits for the same end",
      "connections: can be closed twice, and when it is closed; what comes afterwards is refused",
    ),
    row(
      "ConnectionContextManager…, 4 tests",
      "`await using`",
      "connections: is closed at the end of its scope, also when it is closed already",
    ),
    row(
      "LostConnectionResultsInIsClosedConnectionAndChannel, SuddenBrokerDisconnectBeforeChannel, NoAccessToConnectionAfterConnectionLost",
      "every call, consumer and publish hears of it",
      "faults: a connection that is cut ends every call, consumer and publish, each with what is known of it",
      "faults: a connection that is reset ends every call, consumer and publish, each with what is known of it",
    ),
    row(
      "UpdateSecret, OnClosedRaisesWrongState, ExpectsStrings",
      "several at a time, which Pika mixes up",
      "connections: takes a new secret, several at a time",
      "connections: refuses a secret that is none before it is sent",
      "core/src/client/connection.test.ts > refuses what is no secret, and a connection that is closed",
    ),
    row("CreateAndCloseConnectionWithChannelAndConsumer", "", "connections: closes with channels and consumers open"),
    row(
      "ConnectionRegisterForBlockAndUnblock",
      "publishes wait meanwhile",
      "connections: blocked is visible, publishes wait, and go on when it is unblocked",
    ),
    row(
      "BlockedConnectionTimesOut, BlockedConnectionTimeout",
      "",
      "connections: blocked for longer than blockedTimeout ends",
    ),
    row(
      "BlockedConnectionUnblocks",
      "",
      "core/src/engine/connection.test.ts > has its whole time again at the next block",
    ),
    row("close() hangs while blocked", "it does not", "connections: can be closed while it is blocked"),
    row(
      "`channel()`: the lowest free number, NoFreeChannels",
      "an explicit number that is taken is refused, where Pika replaces the channel",
      "connections: has channels with the lowest free numbers, up to channel-max, and uses numbers again",
      "core/src/engine/channels.test.ts > are refused when they are taken, whatever state their channel is in",
    ),
    row(
      "heartbeats sent at half the interval",
      "only when nothing else was sent",
      "connections: stays alive by heartbeats while nobody uses it",
      "core/src/engine/connection-heartbeat.test.ts > are sent after half an interval, when nothing else was",
    ),
    row(
      "a silent server is dead",
      "after two intervals; any byte counts, also of a frame that takes for ever",
      "connections: ends when the server falls silent",
      "core/src/engine/connection-heartbeat.test.ts > are not the only proof that the server lives: any byte is, also of a frame that takes for ever",
    ),
    row(
      "tuning: 0 stands for no limit",
      "",
      "core/src/engine/tuning.test.ts > never answers 0 to a limit, and never more than the server's",
      "core/src/engine/tuning.test.ts > refuses a frame-max below the protocol's minimum",
    ),
    row(
      "the server closes the connection",
      "the close is answered, which Pika does not do; calls hear the server's words",
      "connections: closed by the server says so, with its words, and ends everything that waits",
      "core/src/client/link.test.ts > answers the server's close, and ends",
    ),
    row(
      "order at the end: channels, then the connection, once",
      "",
      "core/src/engine/connection-closing.test.ts > is answered; channels end first, all with the server's reason",
      "core/src/client/connection.test.ts > hear of the end once, and are not needed",
    ),
    row(
      "an exception in a callback kills the connection",
      "it is reported, and hurts nobody",
      "connections: survives listeners that throw",
    ),
    row(
      "listeners are removed",
      "",
      "core/src/client/listeners.test.ts > are called in the order they were added, until they are removed",
    ),
    row("counters of bytes and frames", "", "core/src/client/connection.test.ts > is counted"),
    row(
      "a server that answers with a protocol header",
      "is told apart from one that hangs up",
      "core/src/wire/greeting.test.ts > recognises %s",
    ),
    row(
      "a damaged frame, an unknown method",
      "end the connection with a farewell, and never anything else than the typed error",
      "faults: a frame that was damaged ends the connection, with a farewell to the server",
      "faults: bytes that are not AMQP end the connection, and are told as such",
    ),
  ],
};
