/** What an error says, in one flat value: for logs, and for deciding what to do. */

import { ChannelError, ConnectionError, type ConnectPhase } from "../engine/errors.ts";
import { AmqpError, type Outcome, UsageError } from "../wire/errors.ts";
import {
  ConnectAttemptError,
  ConsumerCancelledError,
  ConsumerRecoveryError,
  NackError,
  NotConnectedError,
  UnroutableError,
} from "./errors.ts";
import { TransportError } from "./io-services.ts";

/**
 * What an error is about. The first three are those that Pika's users tell apart: stop when the server closed the
 * connection, stop when a channel failed, and try any other failure of a connection again.
 */
export type FailureKind =
  /** The server closed the connection, and said why. */
  | "closed-by-server"
  /** A channel ended, a consumer on it did, or a message of it was refused. The connection lives. */
  | "channel"
  /** There is no connection: it was lost, or did not come about. */
  | "connection"
  /** The call was wrong; nothing was sent. */
  | "usage"
  /** This client ended it: by closing, by a signal, by a timeout of the call. Or it is no error of Leveret's. */
  | "other";

/** Facts of an error; what it does not say is `undefined`. Nothing of it is secret, and no body is in it. */
export interface ErrorFacts {
  readonly kind: FailureKind;
  /** The error's class. */
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly outcome: Outcome | undefined;
  readonly retryable: boolean;
  /** How far connecting had come. */
  readonly phase: ConnectPhase | undefined;
  /** What the server said, to this error or to one that caused it. */
  readonly replyCode: number | undefined;
  readonly replyText: string | undefined;
  readonly method: string | undefined;
}

/** Told by codes: nothing that the server or the network did, but we. */
const endedByUs: ReadonlySet<string> = new Set(["CONNECTION_CLOSED", "CHANNEL_CLOSED", "CONNECT_ABORTED"]);

/** Which kind of failure an error is of, whatever it is. */
export function failureKind(error: unknown): FailureKind {
  if (!(error instanceof AmqpError) || endedByUs.has(error.code)) return "other";
  if (error instanceof UsageError) return "usage";
  if (error.code === "CONNECTION_CLOSED_BY_SERVER") return "closed-by-server";
  if (isOneOf(error, [ConnectionError, ConnectAttemptError, TransportError, NotConnectedError])) return "connection";
  if (isOneOf(error, [ChannelError, NackError, UnroutableError, ConsumerCancelledError, ConsumerRecoveryError])) {
    return "channel";
  }
  // Of several messages, of a transaction, of a batch: what happened to the first.
  return error.cause instanceof AmqpError && error.cause !== error ? failureKind(error.cause) : "other";
}

function isOneOf(error: AmqpError, classes: readonly (abstract new (...given: never[]) => AmqpError)[]): boolean {
  return classes.some((one) => error instanceof one);
}

/** The facts of an error, whatever it is. */
export function errorFacts(error: unknown): ErrorFacts {
  const ours = error instanceof AmqpError ? error : undefined;
  return {
    kind: failureKind(error),
    name: error instanceof Error ? error.name : typeof error,
    code: ours?.code,
    message: error instanceof Error ? error.message : String(error),
    outcome: ours?.outcome,
    retryable: ours?.retryable ?? false,
    phase: said(error, "phase") as ConnectPhase | undefined,
    replyCode: said(error, "replyCode") as number | undefined,
    replyText: said(error, "replyText") as string | undefined,
    method: said(error, "method") as string | undefined,
  };
}

/** How many errors of a chain of causes are looked at. */
const longestChain = 10;

/** A fact of an error, or else of what caused it. */
function said(error: unknown, fact: "phase" | "replyCode" | "replyText" | "method"): unknown {
  let one: unknown = error;
  for (let i = 0; i < longestChain && one instanceof AmqpError; i += 1) {
    const value: unknown = (one as unknown as Record<string, unknown>)[fact];
    if (value !== undefined) return value;
    one = one.cause;
  }
  return undefined;
}
