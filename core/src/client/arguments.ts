/** The arguments of queues and exchanges that RabbitMQ documents; anything else may be given as well. */

import type { FieldTable } from "../wire/field-values.ts";

/** Arguments of `queueDeclare`. Which queue type knows which is in RabbitMQ's documentation; it refuses the others with 406. */
export interface QueueArguments extends FieldTable {
  /** Fixed when the queue is made. Default: the virtual host's, mostly `"classic"`. */
  readonly "x-queue-type"?: "classic" | "quorum" | "stream" | undefined;
  /** Milliseconds that a message may wait in the queue. */
  readonly "x-message-ttl"?: number | undefined;
  /** Milliseconds without use after which the queue is deleted. */
  readonly "x-expires"?: number | undefined;
  /** Ready messages that the queue holds. */
  readonly "x-max-length"?: number | undefined;
  /** Bytes of ready messages that the queue holds. */
  readonly "x-max-length-bytes"?: number | undefined;
  /** What happens to messages beyond that. Default `"drop-head"`. */
  readonly "x-overflow"?: "drop-head" | "reject-publish" | "reject-publish-dlx" | undefined;
  /** Where messages go that were refused, expired, or dropped. */
  readonly "x-dead-letter-exchange"?: string | undefined;
  /** With this routing key in place of their own. */
  readonly "x-dead-letter-routing-key"?: string | undefined;
  /** Quorum queues. */
  readonly "x-dead-letter-strategy"?: "at-most-once" | "at-least-once" | undefined;
  /** Deliveries after which a quorum queue gives up on a message; -1 for never. RabbitMQ 4.0 and newer: 20. */
  readonly "x-delivery-limit"?: number | undefined;
  /** Classic queues: the highest priority of a message, up to 255; 10 is plenty. */
  readonly "x-max-priority"?: number | undefined;
  /** One consumer at a time gets messages. */
  readonly "x-single-active-consumer"?: boolean | undefined;
  /** Streams: how long messages are kept, such as `"7D"`. */
  readonly "x-max-age"?: string | undefined;
  /** Streams: bytes of a segment file. */
  readonly "x-stream-max-segment-size-bytes"?: number | undefined;
  /** Where the leader of a replicated queue is put. */
  readonly "x-queue-leader-locator"?: "client-local" | "balanced" | undefined;
  /** Replicas of a quorum queue. */
  readonly "x-quorum-initial-group-size"?: number | undefined;
}

/** Arguments of `exchangeDeclare`. */
export interface ExchangeArguments extends FieldTable {
  /** Takes the messages that no binding matches. */
  readonly "alternate-exchange"?: string | undefined;
}
