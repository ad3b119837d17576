/**
 * The client's own errors. They continue the one hierarchy under `AmqpError`: `ConnectionError` and `ChannelError` say
 * that a connection or a channel ended, `UsageError` that the call was wrong; the errors here say what became of one
 * message, one delivery, or one attempt to connect.
 */

import {
  ChannelError,
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionErrorOptions,
  type ConnectPhase,
} from "../engine/errors.ts";
import { AmqpError, type AmqpErrorOptions, type Outcome } from "../wire/errors.ts";
import type { ReturnedMessage } from "./returned-message.ts";
import type { TransportErrorCode } from "./io-services.ts";

/**
 * The server refused a publish (`basic.nack`): a queue was full (`x-overflow: reject-publish`), or could not take the
 * message. Nothing was stored in that queue; publishing again later may work. With the outcome `"unknown"` it was published
 * again after a loss, and may have arrived before that.
 */
export class NackError extends AmqpError {
  override name = "NackError";
  declare readonly code: "NACKED";

  constructor(outcome: Outcome = "refused") {
    super("NACKED", "The server refused the message (basic.nack)", { outcome });
  }

  override get retryable(): boolean {
    return true;
  }
}

/** No queue took a mandatory message, and the server handed it back (`basic.return`). `outcome` as of {@link NackError}. */
export class UnroutableError extends AmqpError {
  override name = "UnroutableError";
  declare readonly code: "UNROUTABLE";

  /** AMQP's reply code: 312, no route. */
  readonly replyCode: number;
  /** The server's words. */
  readonly replyText: string;
  readonly exchange: string;
  readonly routingKey: string;
  /** Private, so that nobody logs a body by logging an error. */
  readonly #returned: ReturnedMessage;

  constructor(returned: ReturnedMessage, outcome: Outcome = "refused") {
    const { replyCode, replyText, exchange, routingKey } = returned;
    super(
      "UNROUTABLE",
      `No queue took the message for exchange ${JSON.stringify(exchange)} with routing key ${JSON.stringify(routingKey)}: ${replyCode} ${replyText}`,
      { outcome },
    );
    this.replyCode = replyCode;
    this.replyText = replyText;
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.#returned = returned;
  }

  /** The message, as the server handed it back. */
  get returned(): ReturnedMessage {
    return this.#returned;
  }
}

/** A call took longer than its `timeout`. With the outcome `"unknown"` it was sent, and may still take effect. */
export class TimeoutError extends AmqpError {
  override name = "TimeoutError";
  declare readonly code: "TIMEOUT";

  constructor(message: string, outcome: Outcome) {
    super("TIMEOUT", message, { outcome });
  }

  override get retryable(): boolean {
    return true;
  }
}

/** The caller's `AbortSignal` ended a call; `cause` is the signal's reason. */
export class AbortError extends AmqpError {
  override name = "AbortError";
  declare readonly code: "ABORTED";

  constructor(reason: unknown, outcome: Outcome) {
    super("ABORTED", "The call was aborted", { cause: reason, outcome });
  }
}

/** What a {@link SettlementError} can be about. */
export type SettlementErrorCode =
  /** The delivery was acknowledged or refused before, or needs no acknowledgement (`noAck`). */
  | "ALREADY_SETTLED"
  /** The channel never had a delivery with that tag. */
  | "UNKNOWN_DELIVERY"
  /** The channel that the delivery came on is closed: the server gave the message back to its queue. */
  | "STALE_DELIVERY";

/** A delivery cannot be settled (any more). Nothing was sent: the server would have closed the channel. */
export class SettlementError extends AmqpError {
  override name = "SettlementError";
  declare readonly code: SettlementErrorCode;
  readonly deliveryTag: number;

  constructor(code: SettlementErrorCode, deliveryTag: number, options?: AmqpErrorOptions) {
    super(code, `Delivery ${deliveryTag} ${settlementProblems[code]}`, { outcome: "not-sent", ...options });
    this.deliveryTag = deliveryTag;
  }
}

const settlementProblems: Readonly<Record<SettlementErrorCode, string>> = {
  ALREADY_SETTLED: "is settled already",
  UNKNOWN_DELIVERY: "was never received on this channel",
  STALE_DELIVERY: "belongs to a channel that is closed",
};

/** The server cancelled a consumer: its queue was deleted, or moved to another node. */
export class ConsumerCancelledError extends AmqpError {
  override name = "ConsumerCancelledError";
  declare readonly code: "CONSUMER_CANCELLED";
  readonly consumerTag: string;

  constructor(consumerTag: string) {
    super("CONSUMER_CANCELLED", `The server cancelled consumer ${JSON.stringify(consumerTag)}`);
    this.consumerTag = consumerTag;
  }

  override get retryable(): boolean {
    return true;
  }
}

/** Messages that a `Publisher` was to send without waiting for each were not confirmed. */
export class FlushError extends AmqpError {
  override name = "FlushError";
  declare readonly code: "FLUSH_FAILED";
  /** How many messages failed since the last flush. */
  readonly failed: number;
  /** The first failures, at most 100. */
  readonly errors: readonly AmqpError[];

  constructor(failed: number, errors: readonly AmqpError[], outcome: Outcome) {
    super("FLUSH_FAILED", `${failed} message(s) were not confirmed; first: ${errors[0]?.message}`, {
      cause: errors[0],
      outcome,
    });
    this.failed = failed;
    this.errors = errors;
  }

  override get retryable(): boolean {
    return this.errors.every((error) => error.retryable);
  }
}

/** What a {@link ConnectAttemptError} can be about: the failure of a connection, of a transport, or of the application's functions. */
export type ConnectAttemptErrorCode =
  | ConnectionErrorCode
  | TransportErrorCode
  /** The function that gives the endpoints failed, or took longer than `openTimeout`. */
  | "ENDPOINTS_FAILED"
  /** The function that gives the credentials failed, or took longer than `openTimeout`. */
  | "CREDENTIALS_FAILED";

/** One attempt to connect to one endpoint failed; `cause` is the failure itself. */
export class ConnectAttemptError extends AmqpError {
  override name = "ConnectAttemptError";
  declare readonly code: ConnectAttemptErrorCode;
  /** Where to: `host:port`, the path of a socket, or the address of a relay. */
  readonly endpoint: string;
  /** Which round through the endpoints, from 1. */
  readonly round: number;
  /** How far connecting had come; `undefined` when it had not begun. */
  readonly phase: ConnectPhase | undefined;
  readonly #retryable: boolean;

  constructor(
    code: ConnectAttemptErrorCode,
    where: { endpoint: string; round: number; phase: ConnectPhase | undefined },
    cause: unknown,
  ) {
    // Adapters say which address of a name failed; an endpoint that is one is not named twice.
    const problem = (cause instanceof Error ? cause.message : String(cause)).replace(`${where.endpoint}: `, "");
    super(code, `${where.endpoint}${where.phase === undefined ? "" : ` (${where.phase})`}: ${problem}`, {
      cause,
      outcome: "not-sent",
    });
    this.endpoint = where.endpoint;
    this.round = where.round;
    this.phase = where.phase;
    this.#retryable = !(cause instanceof AmqpError) || cause.retryable;
  }

  override get retryable(): boolean {
    return this.#retryable;
  }
}

/**
 * No connection came about. `code` is CONNECT_FAILED when every endpoint failed in every round, CONNECT_ABORTED when
 * the caller's signal ended it, or the code of a failure that no other endpoint can cure, such as
 * AUTHENTICATION_FAILED.
 */
export class ConnectError extends ConnectionError {
  override name = "ConnectError";
  /** Every attempt, oldest first; of a very long series the last 100. */
  readonly errors: readonly ConnectAttemptError[];

  constructor(
    code: ConnectionErrorCode,
    message: string,
    errors: readonly ConnectAttemptError[],
    options: ConnectionErrorOptions,
  ) {
    super(code, message, { outcome: "not-sent", ...options });
    this.errors = errors;
  }

  override get retryable(): boolean {
    return this.code === "CONNECT_FAILED" ? this.errors.some((error) => error.retryable) : super.retryable;
  }
}

/** There is no connection at the moment, and the call did not wait for it, or not for longer. Nothing was sent. */
export class NotConnectedError extends AmqpError {
  override name = "NotConnectedError";
  declare readonly code: "NOT_CONNECTED";

  constructor(message: string, cause: unknown) {
    super("NOT_CONNECTED", message, { cause, outcome: "not-sent" });
  }

  override get retryable(): boolean {
    return true;
  }
}

/** A consumer could not be started again after its channel was lost; `cause` is what the server said. */
export class ConsumerRecoveryError extends AmqpError {
  override name = "ConsumerRecoveryError";
  declare readonly code: "CONSUMER_NOT_RECOVERED";
  readonly consumerTag: string;

  constructor(consumerTag: string, cause: unknown) {
    const problem = cause instanceof Error ? `: ${cause.message}` : "";
    super("CONSUMER_NOT_RECOVERED", `Consumer ${JSON.stringify(consumerTag)} could not be recovered${problem}`, {
      cause,
    });
    this.consumerTag = consumerTag;
  }
}

/** What a {@link TransactionError} can be about. */
export type TransactionErrorCode =
  /** The channel was lost with work in its transaction, which the server undid. `txRollback` begins a new one. */
  | "TRANSACTION_ABORTED"
  /** The channel was lost while a commit was under way: it happened, or not. `txRollback` begins a new transaction. */
  | "COMMIT_UNKNOWN";

/** A transaction did not survive the loss of its channel. */
export class TransactionError extends AmqpError {
  override name = "TransactionError";
  declare readonly code: TransactionErrorCode;

  constructor(code: TransactionErrorCode, cause: unknown) {
    super(code, transactionProblems[code], { cause, outcome: code === "COMMIT_UNKNOWN" ? "unknown" : "not-sent" });
  }
}

const transactionProblems: Readonly<Record<TransactionErrorCode, string>> = {
  TRANSACTION_ABORTED: "The channel was lost, and the work of its transaction with it; roll back to begin a new one",
  COMMIT_UNKNOWN: "The channel was lost during a commit, which may have happened; roll back to begin a new one",
};

/** Why a channel or a connection is over. */
export type EndError = ChannelError | ConnectionError;

/** When connections are open again that were lost and recover, by the errors that tell of the loss. */
const recoveries: WeakMap<object, () => Promise<void>> = new WeakMap();

/**
 * When to try again after a loss that took a call along: resolves when the connection is open again, at once where it is
 * already, and rejects with its end when it does not come back.
 *
 * ```ts
 * try {
 *   await channel.queuePurge({ queue });
 * } catch (error) {
 *   await recoveryOf(error);
 * }
 * ```
 *
 * @returns `undefined` for any other error, and for the loss of a connection that does not recover.
 */
export function recoveryOf(error: unknown): Promise<void> | undefined {
  return typeof error === "object" && error !== null ? recoveries.get(error)?.() : undefined;
}

/** This loss is recovered from; `ready` says when. */
export function recoversBy(loss: ConnectionError, ready: () => Promise<void>): void {
  recoveries.set(loss, ready);
}

/** What ended a channel or a connection. It is made for whoever is told of it: an error costs as much as closing a channel. */
export type MakeEnd = () => EndError;

/** The error of one operation that a channel or a connection took with it: the same words, and the operation's own outcome. */
export function endedWith(end: EndError, outcome: Outcome, possibleLoss = false): EndError {
  const options = { outcome, cause: end.cause };
  const reason = reasonOf(end);
  if (end instanceof ChannelError) {
    return new ChannelError(end.code, end.message, reason ?? { method: end.method }, options);
  }
  const error = new ConnectionError(end.code, end.message, { ...options, phase: end.phase, reason, possibleLoss });
  const ready = recoveries.get(end);
  if (ready !== undefined) recoveries.set(error, ready);
  return error;
}

/** What the server said; `undefined` where it was not the server that ended it. */
export function reasonOf({ replyCode, replyText = "", method }: EndError): CloseReason | undefined {
  return replyCode === undefined ? undefined : { replyCode, replyText, method };
}
