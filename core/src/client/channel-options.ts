/** What the methods of a channel take, in AMQP's words. */

import type { Publication } from "../engine/frame-writer.ts";
import type { Fields } from "../wire/method-types.ts";
import type { BindingArguments, ExchangeArguments, QueueArguments } from "./arguments.ts";
import type { FieldTable } from "../wire/field-values.ts";
import type { EncodedProperties } from "../wire/properties.ts";
import type { OutgoingProperties } from "./outgoing-properties.ts";
import type { WaitOptions } from "./publishing.ts";

/** What every call that waits for an answer of the server takes. */
export interface CallerOptions {
  /**
   * Gives up waiting: the promise rejects with `AbortError`. A request that was sent may still take effect; the
   * `outcome` of the error says so.
   */
  readonly signal?: AbortSignal | undefined;
}

/** What a call takes whose method has AMQP's no-wait bit. */
export interface NoWaitOptions extends CallerOptions {
  /**
   * Do not wait for an answer: the promise resolves at once, and a failure closes the channel. Default false. Saves
   * round trips when many things are declared. A deletion with a condition is answered all the same, and waits for that: a
   * refusal does not say which of several deletions it is of, nor recovery what is to be declared again.
   */
  readonly noWait?: boolean | undefined;
}

/** What a call takes that makes something which recovery can bring back. */
export interface RecordedOptions extends NoWaitOptions {
  /** Whether recovery brings it back after an outage. Default true. */
  readonly record?: boolean | undefined;
}

export interface ExchangeDeclareOptions extends RecordedOptions {
  readonly exchange: string;
  /** `"direct"`, the default, `"fanout"`, `"topic"`, `"headers"`, or a plugin's, such as `"x-delayed-message"`. */
  readonly type?: string | undefined;
  /** Only ask whether it exists, whatever its type; fails with 404. Default false. */
  readonly passive?: boolean | undefined;
  /** Survives a restart of the server. Default true. */
  readonly durable?: boolean | undefined;
  /** Is deleted with its last binding. Default false. */
  readonly autoDelete?: boolean | undefined;
  /** Takes messages from other exchanges only. Default false. */
  readonly internal?: boolean | undefined;
  readonly arguments?: ExchangeArguments | undefined;
}

export interface ExchangeDeleteOptions extends NoWaitOptions {
  readonly exchange: string;
  /** Only when nothing is bound to it; fails with 406. Default false. */
  readonly ifUnused?: boolean | undefined;
}

export interface ExchangeBindOptions extends RecordedOptions {
  /** The exchange that messages go to. */
  readonly destination: string;
  /** The exchange that they come from. */
  readonly source: string;
  /** Default empty. */
  readonly routingKey?: string | undefined;
  readonly arguments?: BindingArguments | undefined;
}

export interface QueueDeclareOptions extends RecordedOptions {
  /** Default empty: the server makes up a name, which the reply has. */
  readonly queue?: string | undefined;
  /** Only ask whether it exists, and what {@link QueueDeclared} says; fails with 404. Default false. */
  readonly passive?: boolean | undefined;
  /**
   * Survives a restart of the server. Default true, unless `exclusive`: RabbitMQ 4.3 and newer refuse queues that are
   * neither durable nor exclusive.
   */
  readonly durable?: boolean | undefined;
  /** Belongs to this connection, and is deleted with it. Default false. */
  readonly exclusive?: boolean | undefined;
  /** Is deleted with its last consumer. Default false. */
  readonly autoDelete?: boolean | undefined;
  readonly arguments?: QueueArguments | undefined;
}

/**
 * What `queueDeclare` found, or made. The `messageCount` is of messages that are ready, those that were confirmed among
 * them. RabbitMQ counts ahead of its turn: what was published without confirms, or given back, just before may be missing,
 * on the same channel, too. A classic queue answers `queuePurge`, `queueDelete` and `basicGet` behind that.
 */
export type QueueDeclared = Fields<"queue.declare-ok">;

export interface QueueBindOptions extends RecordedOptions {
  /** Empty: the queue that was declared last on this channel. */
  readonly queue: string;
  readonly exchange: string;
  /** Default empty. With an empty `queue`, RabbitMQ takes that queue's name for it. */
  readonly routingKey?: string | undefined;
  readonly arguments?: BindingArguments | undefined;
}

export interface QueueUnbindOptions extends CallerOptions {
  readonly queue: string;
  readonly exchange: string;
  /** Default empty. */
  readonly routingKey?: string | undefined;
  readonly arguments?: FieldTable | undefined;
}

export interface QueuePurgeOptions extends NoWaitOptions {
  readonly queue: string;
}

export interface QueueDeleteOptions extends NoWaitOptions {
  readonly queue: string;
  /** Only when it has no consumer; fails with 406. Default false. */
  readonly ifUnused?: boolean | undefined;
  /** Only when it has no message; fails with 406. Default false. */
  readonly ifEmpty?: boolean | undefined;
}

/** How many messages a purge or a deletion took away. */
export interface MessageCount {
  readonly messageCount: number;
}

export interface BasicQosOptions extends CallerOptions {
  /** Unacknowledged messages at a time, 0 for no limit; at most 65535. */
  readonly prefetchCount: number;
  /** RabbitMQ supports 0 only, the default. */
  readonly prefetchSize?: number | undefined;
  /**
   * False, the default: for each consumer that is started on this channel from now on. True: for all consumers of the
   * channel together, beside what each has. A consumer that says no `prefetch` has what the channel was told last for each
   * then, no limit where that was nothing; RabbitMQ lifts the shared one when a later consumer, or `basicQos`, sets one for
   * each. Quorum queues and streams refuse to be consumed with it. Deprecated, and RabbitMQ 4.3 and newer take it for false.
   */
  readonly global?: boolean | undefined;
}

export interface BasicGetOptions extends CallerOptions {
  readonly queue: string;
  /** The server settles the message as it sends it. Default false. */
  readonly noAck?: boolean | undefined;
}

/** A message, and how long to wait for what becomes of it. */
export interface BasicPublishOptions extends Publication, WaitOptions {
  /** Encode them once where many messages share them. Default: none. */
  readonly properties?: OutgoingProperties | EncodedProperties | undefined;
}

/** Which consumer to cancel. */
export interface BasicCancelOptions {
  readonly consumerTag: string;
  /** Do not wait for the server's answer. Default false. */
  readonly noWait?: boolean | undefined;
}

/** What to acknowledge. */
export interface BasicAckOptions {
  readonly deliveryTag: number;
  /** All outstanding deliveries of the channel up to that tag; with tag 0, all there are. Default false. */
  readonly multiple?: boolean | undefined;
}

/** What to refuse, and what becomes of it. */
export interface BasicNackOptions extends BasicAckOptions {
  /** Back to the queue; otherwise to its dead-letter exchange, or nowhere. Default true. */
  readonly requeue?: boolean | undefined;
}

/** Which delivery to refuse, and what becomes of it. */
export interface BasicRejectOptions {
  readonly deliveryTag: number;
  /** Back to the queue; otherwise to its dead-letter exchange, or nowhere. Default true. */
  readonly requeue?: boolean | undefined;
}
