/** Pika's example programs. */

import { type ParitySection, row } from "./row.ts";

const example = (name: string): string => `docs/examples/${name}.ts`;

export const exampleRows: ParitySection = {
  title: "Example programs",
  rows: [
    row("blocking_basic_get", "", example("basic-get")),
    row(
      "blocking_consume, consume, consumer_simple, producer",
      "",
      example("publisher-and-consumer"),
      example("worker"),
    ),
    row("blocking_consumer_generator", "", example("consume-with-iterator")),
    row("blocking_delivery_confirmations, confirmation, publisher_confirms_threaded", "", example("confirms")),
    row("blocking_publish_mandatory", "", example("confirms")),
    row(
      "blocking_consume_recover_multiple_hosts, …_retry",
      "the client does it; the loop of one's own is beside it",
      example("several-hosts"),
      example("recovery"),
      example("recover-by-hand"),
    ),
    row(
      "blocking_consume_tls, tls_server_authentication, tls_mutual_authentication, …_twisted",
      "",
      example("tls-client-certificate"),
    ),
    row("comparing_publishing_sync, comparing_publishing_async", "", example("comparing-publishing")),
    row("publish, using_urlparameters", "", example("publish-and-exit")),
    row("heartbeat_and_blocked_timeouts", "", example("heartbeat-and-blocked")),
    row("direct_reply_to, twisted_service", "", example("rpc")),
    row(
      "asynchronous_consumer_example, asyncio_consumer_example, tornado_consumer",
      "",
      example("worker"),
      example("graceful-shutdown"),
    ),
    row("asynchronous_publisher_example", "", example("publisher-and-consumer"), example("recovery")),
    row("connecting_async", "", example("first-program")),
    row("async_as_callback", "values of one's own types instead of bytes", example("codecs")),
    row("basic_consumer_threaded, basic_publisher_threaded", "", example("threads"), example("threads-channel")),
    row("long_running_publisher, long_running_publisher_threaded", "", example("blocking-threads")),
    row(
      "the blocking programs, blocking",
      "",
      example("blocking"),
      example("blocking-consume"),
      example("blocking-several-hosts"),
    ),
    row("consumer_queued", "a batch at a time, acknowledged as one", example("batches")),
  ],
};
