/** What Pika's users report and ask for, and what is most easily got wrong. */

import { type ParitySection, row } from "./row.ts";

const engine = (file: string, title: string): string => `core/src/engine/${file}.test.ts > ${title}`;
const consumer = (title: string): string => `core/src/client/consumer.test.ts > ${title}`;

export const issueRows: ParitySection = {
  title: "What Pika's users report",
  rows: [
    row(
      "automatic recovery (#858)",
      "on by default",
      "recovery: channels, exchanges, queues, bindings and consumers come back after a cut",
    ),
    row(
      "threads corrupt a connection (#511, #1144, #1426)",
      "a connection has one owner; other threads use ports",
      "threads: a worker declares, publishes, gets and settles",
      "blocking: a call may come from another thread, and wakes the one that waits: an acknowledgement, and a publish",
    ),
    row(
      "heartbeats lost under long callbacks (#93, #418, #1104 and others)",
      "",
      "blocking: heartbeats are answered while this thread computes",
      engine("connection-heartbeat", "are not missed because our own loop stalled"),
    ),
    row(
      "no flow control for writes (#1043)",
      "",
      "publishers: keep within their window by count and by bytes, whoever waits",
      "io: tcp: false from write is answered by exactly one writable, when the peer reads again",
    ),
    row(
      "the cause of a loss is lost (#1240, #1390, #1437)",
      "",
      "core/src/client/error-facts.test.ts > says what the server said, also when it was the cause of another",
    ),
    row(
      "calls that never end, a close that hangs (#743, #764, #1480)",
      "",
      "core/src/client/channel.test.ts > settles when the connection is lost",
      "connections: can be closed while it is blocked",
      "faults: closing ends when the server does not answer",
    ),
    row(
      "events that ignore a closed channel (#1452, #1472)",
      "",
      "blocking: the loop ends when the server cancels, and throws when it closes the channel",
    ),
    row(
      "`consume()`: inactivity of 0, prefetch, resuming (#1157, #1142, #760)",
      "",
      "blocking: iterates: inactivity is told, leaving the loop keeps the consumer, cancel gives the true count",
      consumer("is 256 unless told, is told to the server once, and is what basicQos said"),
    ),
    row(
      "the timeout of blocked connections is misread (#1257)",
      "visible, with the server's reason",
      "connections: blocked is visible, publishes wait, and go on when it is unblocked",
    ),
    row(
      "confirms with `multiple`, stacked handlers (#162, #1137, #1602)",
      "",
      "confirms: five thousand publishes in flight are each confirmed once",
    ),
    row(
      "throughput (#438, #447, #723)",
      "one write for what a turn produces",
      "core/src/client/link.test.ts > sends everything that one turn produced in one write",
    ),
    row(
      "TLS that verifies, and options that are simple (#464, #811, #1192)",
      "",
      "TLS: refuses a server whose authority is not trusted",
      "TLS: refuses a server that is not who it should be",
    ),
    row(
      "types of tables (#12, #599, #1205, #1531, #1705)",
      "",
      "core/src/wire/table.test.ts > covers every field type",
    ),
    row("proxies, and transports of one's own (#1359, #1532)", "", "docs/examples/readable-writable-pair.ts"),
    row(
      "bounded queues, leaks (#1600, #1651, #1684, #1688)",
      "",
      consumer("ends the reading of one without a bound, by count and by bytes, until there is room"),
      "core/src/client/recovery-topology.test.ts > records of things that the server deletes by itself do not pile up",
    ),
    row(
      "closing before open-ok (#682, #87, #185)",
      "",
      engine("channel", "while it opens waits for that"),
      engine("handshake", "ends at once when it is closed, without a word"),
    ),
    row("example programs that do not exist (#1499)", "a test runs each", "docs/examples/recover-by-hand.ts"),
    row("Connection.Secure", "any number of challenges", engine("handshake", "answers any number of challenges")),
    row(
      "backoff between retries, with jitter",
      "",
      "core/src/recovery/backoff.test.ts > doubles from the base to the maximum, and never goes below half",
    ),
  ],
};

export const subtleRows: ParitySection = {
  title: "What is most easily got wrong",
  rows: [
    row(
      "cancelling with messages that nobody has taken",
      "they go back once the server has stopped, and are counted",
      consumer("gives back what nobody has taken, once the server has stopped, and counts it"),
    ),
    row(
      "the next request leaves before the reply is told",
      "",
      engine("channel-requests", "send the next before the driver hears of the reply"),
    ),
    row(
      "publishes and acknowledgements pass requests that wait",
      "and calls that are not answered do not",
      engine("channel-requests", "come one at a time, in order, while everything else goes past them"),
      "channels: mix calls that wait and calls that do not, in order",
    ),
    row(
      "deliveries for a consumer that is being cancelled",
      "",
      consumer("gives back what comes too late"),
      consumer("hands out what cannot go back"),
    ),
    row(
      "closes that cross",
      "",
      engine("channels", "after both answers when both closed; the server's reason wins"),
      engine("connection-closing", "answers a close that crosses ours, and still waits for its own answer"),
    ),
    row(
      "heartbeats: who wins, and what counts",
      "",
      "connecting: lets the client's heartbeat win, zero and a function included",
      engine("heartbeat", "is put off by output"),
    ),
    row(
      "tuning: 0 is no limit; a tiny frame-max",
      "",
      engine("tuning", "refuses a frame-max below the protocol's minimum"),
    ),
    row(
      "the reason of an end, by phase",
      "",
      "core/src/client/dialing.test.ts > says in which phase the server hung up",
    ),
    row(
      "attempts, delays, and names that are not found",
      "",
      "core/src/client/dialing.test.ts > goes on to the next endpoint, also when a name is not found",
    ),
    row("one family of errors", "", "core/src/client/error-facts.test.ts > of every class is in this table"),
    row(
      "a callback that dispatches again, or throws",
      "",
      "blocking: dispatches handlers in order, and only when asked; a handler may call, and what it throws arrives",
    ),
    row(
      "a return belongs to one publish of many",
      "",
      "core/src/client/unconfirmed.test.ts > are told to the publish they answer, with many in flight and one confirm for all",
    ),
    row(
      "replies are matched, and none wedges a channel",
      "",
      engine("request-queue", "refuses a reply that nothing waits for, or that answers something else"),
      "queues: keep names with any characters, and drop line ends from them as the server does",
    ),
    row(
      "input while input is handled; output whole or not at all",
      "",
      engine(
        "connection-engine",
        "hands events over one by one, and a command between two finds the state that the last one left",
      ),
      engine("frame-writer", "leaves nothing behind and counts nothing when an encoding throws"),
    ),
    row(
      "the contract of I/O",
      "never inline, never after a cancel, closed once",
      "io: tcp: abort is followed by closed without a cause, and by nothing else",
      "io: tcp: opened comes once and first, also when the peer speaks at once",
    ),
    row(
      "the codec of tables",
      "",
      "core/src/wire/table.test.ts > reads %s",
      "core/src/wire/properties.test.ts > tell absent from empty",
    ),
  ],
};
