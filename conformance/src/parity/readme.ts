/** What Pika's README claims. */

import { type ParitySection, row } from "./row.ts";

export const readmeRows: ParitySection = {
  title: "What Pika's README claims",
  rows: [
    row(
      "RabbitMQ's extensions",
      "nack, confirms, consumer cancel notification, blocked and unblocked, exchange-to-exchange bindings, update-secret",
      "core/src/engine/client-properties.test.ts > names every extension that changes what RabbitMQ does",
      "exchanges: are bound to each other, and unbound: mandatory publishes show it",
      "consuming: are told when the server cancels them, and may settle what they have",
      "connections: blocked is visible, publishes wait, and go on when it is unblocked",
      "connections: takes a new secret, several at a time",
    ),
    row(
      "no threads needed, and none forbidden",
      "callbacks and iterators both, and worker threads where they are wanted",
      "consuming: get every message once, in order, and acknowledge it by returning",
      "iterating: a loop takes messages one by one, and leaving it gives back what was not taken",
    ),
    row(
      "any way of getting network events",
      "a published contract of I/O services, with a suite that every adapter passes; and the bare engine",
      "io: loop: posted tasks run in order, and never inline",
      "docs/examples/embedding.ts",
    ),
    row(
      "the smallest example",
      "a connection with no options, a channel, a publish, a close",
      "core/src/client/plan.test.ts > knows what to do without any option",
      "docs/examples/first-program.ts",
    ),
    row(
      "the blocking consumer example",
      "iterate over a queue, acknowledge each message, leave early",
      "iterating: a loop takes messages one by one, and leaving it gives back what was not taken",
      "docs/examples/consume-with-iterator.ts",
    ),
    row(
      "`cancel()` tells how many messages went back",
      "the true count; Pika's is always 0",
      "iterating: cancelling tells how many messages went back",
      "consuming: are cancelled, and what nobody has taken goes back, counted",
    ),
    row(
      "adapters for other loops",
      "one small interface; the client is the same in every runtime",
      "connecting: opens a connection, and knows who the server is and what it can do",
      "io: tcp: bytes arrive as they were sent, when written one at a time",
    ),
    row(
      "the host owns the transport (Twisted)",
      "the bare engine: bytes in, events and bytes out",
      "docs/examples/embedding.ts",
      "core/src/engine/connection-engine.test.ts > hands events over one by one, and a command between two finds the state that the last one left",
    ),
    row(
      "several parameters, for fault tolerance",
      "an ordered list of endpoints; the attempts and the delay are the connection's",
      "connecting: goes on to the next endpoint when a port refuses, and when a name does not exist",
      "docs/examples/several-hosts.ts",
    ),
    row(
      "a round of retries begins when every endpoint has failed",
      "also when a name is not found, where Pika skips the rest of the round",
      "connecting that fails: when all endpoints fail, every attempt is named, and another round begins with the first",
      "core/src/client/dialing.test.ts > begins each round with the first endpoint, and waits between rounds only",
    ),
    row(
      "slow handlers must not lose heartbeats",
      "silence of our own loop is not held against the server; work can go to threads",
      "core/src/engine/connection-heartbeat.test.ts > are not missed because our own loop stalled",
    ),
    row(
      "acknowledge on the channel that delivered",
      "a delivery knows its channel; by number, another channel's is a typed error without traffic",
      "settling: settling on another channel is an error here",
    ),
    row(
      "the three-way split of errors",
      "stop when the server closed us, stop at a channel's error, retry the rest",
      "connections: is told apart as Pika's users do it: closed by the server, a channel's error, any other loss",
    ),
    row(
      "one base for every connection problem",
      "names, TLS and timeouts included, which Pika leaks",
      "core/src/client/dialing.test.ts > names every attempt, its endpoint and its phase when all fail",
    ),
    row(
      "reconnecting in `on_close_callback`",
      "done by the client; with `recovery: false`, `closed` carries the reason",
      "recovery: channels, exchanges, queues, bindings and consumers come back after a cut",
      "core/src/client/recovery.test.ts > not with recovery: false",
    ),
    row(
      "own I/O services, own transport",
      "both levels, each with a contract or an example",
      "io: tcp: 1 MB comes back intact and in order",
      "docs/examples/embedding.ts",
    ),
  ],
};
