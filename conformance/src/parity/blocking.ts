/** `BlockingConnection`, the thread-safe `Connection`, and the other adapters. */

import { type ParitySection, row } from "./row.ts";

export const blockingRows: ParitySection = {
  title: "Blocking connections",
  rows: [
    row(
      "the synchronous facade",
      "a connection in a worker; heartbeats go on while the caller computes, which Pika's do not",
      "blocking: connects, tells what the server is, and closes, twice",
      "blocking: heartbeats are answered while this thread computes",
    ),
    row(
      "a sequence of parameters; only the last error is raised",
      "every attempt is named",
      "blocking: goes on to the next endpoint, and says what was wrong with each",
    ),
    row(
      "ExchangeDeclareAndDelete, QueueDeclareAndDelete, QueueBindAndUnbindAndPurge",
      "",
      "blocking: declares, binds, purges and deletes",
    ),
    row("BasicGet", "", "blocking: gets a message, settles it once, and throws at the caller"),
    row(
      "`confirm_delivery()`, `basic_publish`: UnroutableError, NackError",
      "",
      "blocking: publishes with confirms: unroutable and refused messages throw, and the channel goes on",
    ),
    row(
      "UnroutableMessagesReturnedInNonPubackMode",
      "",
      "blocking: without confirms, what comes back reaches the listener, in order, when events are dispatched",
    ),
    row(
      "`consume()` with `inactivity_timeout`, ConsumeGeneratorInactivityTimeout",
      "leaving the loop keeps the consumer, as Pika does",
      "blocking: iterates: inactivity is told, leaving the loop keeps the consumer, cancel gives the true count",
    ),
    row(
      "`cancel()`",
      "the true count",
      "blocking: iterates: inactivity is told, leaving the loop keeps the consumer, cancel gives the true count",
    ),
    row(
      "ConsumeGeneratorInterruptedByCancelFromBroker, PassesChannelClosedOnSameChannelFailure",
      "",
      "blocking: the loop ends when the server cancels, and throws when it closes the channel",
    ),
    row(
      "ProcessDataEvents",
      "",
      "blocking: dispatches handlers in order, and only when asked; a handler may call, and what it throws arrives",
    ),
    row(
      "dispatch and re-entrancy",
      "what a handler throws strands nothing behind it",
      "blocking: dispatches handlers in order, and only when asked; a handler may call, and what it throws arrives",
    ),
    row(
      "`start_consuming`, `stop_consuming`, StopConsumingFromBasicConsumeCallback",
      "",
      "blocking: consumes until a handler stops it; what was not handled goes back",
    ),
    row(
      "CloseChannelFromBasicConsumeCallback, CloseConnectionFromBasicConsumeCallback",
      "",
      "blocking: a closed channel or connection in a handler ends consuming",
    ),
    row("BasicCancelWithNonAckableConsumer", "", "blocking: noAck messages are not given back, but still handed out"),
    row(
      "`call_later`, AddTimeoutRemoveTimeout, RemoveTimeoutFromTimeoutCallback, Sleep",
      "",
      "blocking: timers run when events are dispatched, in the order of their times, and can be cancelled",
    ),
    row(
      "AddCallbackThreadsafe…, BasicConsumeWithAckFromAnotherThread, ConsumeGeneratorWithAckFromAnotherThread",
      "",
      "blocking: a call may come from another thread, and wakes the one that waits: an acknowledgement, and a publish",
    ),
    row("TxCommit, TxRollback", "", "blocking: transactions commit and roll back"),
    row(
      "BasicRecoverWithRequeue, UpdateSecret",
      "",
      "blocking: recover, qos, raw requests and a new secret work as they do with promises",
    ),
    row(
      "LostConnectionResultsInIsClosedConnectionAndChannel",
      "",
      "blocking: a lost connection ends calls and waiting with ConnectionError",
    ),
    row(
      "a time limit for every call",
      "Pika's calls wait for ever",
      "blocking: a call that takes too long throws a TimeoutError that says what became of it",
    ),
  ],
};

export const threadRows: ParitySection = {
  title: "Threads, and other adapters",
  rows: [
    row(
      "BasicLifecycle",
      "a channel that a worker uses over a port",
      "threads: a worker declares, publishes, gets and settles",
    ),
    row(
      "acknowledging, and publishing, from another thread",
      "",
      "threads: deliveries arrive in order, and are settled by what their handlers do",
    ),
    row(
      "ConcurrentPublishing, ConcurrentPublishAndConsume",
      "",
      "threads: a pool shares a queue: each delivery goes to the least busy worker, and closing waits for handlers",
    ),
    row(
      "SlowConsumerOverflowClosesConnection, SlowConsumerKeepingPaceDoesNotOverflow",
      "a window by count and bytes; a slow worker gets no more than that, and nothing is torn down",
      "threads: no more deliveries travel than the window has room for, by count and by bytes",
    ),
    row(
      "CloseHonorsTimeoutWithWedgedConsumer",
      "what a lost worker had goes back",
      "threads: what a worker had goes back when it is gone, and a typed error says so",
    ),
    row(
      "BrokerDropBlockedInChannel, BrokerDropBlockedInQueueDeclare",
      "",
      "threads: closing in the connection's thread ends the worker's calls",
      "threads: a worker's errors are of the same classes, and say the same",
    ),
    row(
      "ConcurrentClose, AddCallbackThreadsafeAfterClose",
      "",
      "blocking: connects, tells what the server is, and closes, twice",
    ),
    row("a timeout for each call", "", "threads: calls and publishes of a worker can be given up"),
    row("user exceptions are contained", "", "connections: survives listeners that throw"),
    row(
      "TwistedChannel: deferreds fail when the channel closes",
      "every promise settles",
      "channels: tell calls behind the one that failed that they were not sent",
      "core/src/client/channel.test.ts > settles when the connection is lost",
    ),
    row(
      "ClosableDeferredQueue",
      "an iterable consumer ends with a typed reason",
      "iterating: a loop ends when the consumer is cancelled, or its channel is closed",
      "core/src/client/consumer-iterator.test.ts > serves those who wait in their order",
    ),
    row(
      "TwistedProtocolConnection: dataReceived, connectionLost",
      "the bare engine",
      "core/src/engine/connection-closing.test.ts > comes behind the bytes that were received before, and nothing comes behind it",
    ),
  ],
};
