/** Which failures are recovered from, and how. */

import { ChannelError, ConnectionError, type ConnectPhase } from "../engine/errors.ts";
import type { Millis } from "../engine/config.ts";
import { UsageError } from "../wire/errors.ts";

/**
 * What an attempt to connect ended in: a failure that time may cure, or a refusal (credentials, virtual host), which
 * time may cure as well, when an authentication backend restarts, but not for ever: endless wrong passwords lock accounts.
 */
export type AttemptOutcome = "failed" | "refused";

/**
 * Reads an attempt's error. A silent end during the login counts as a refusal, where it was in order: a reset is the
 * network's, and a bad one resets in any phase.
 */
export function attemptOutcome({ code, phase, cause }: FailedAttempt): AttemptOutcome {
  if (refusals.has(code)) return isDown(cause) ? "failed" : "refused";
  const isInOrder = !(cause instanceof ConnectionError) || cause.cause === undefined;
  return code === "CONNECTION_LOST" && phase === "sasl" && isInOrder ? "refused" : "failed";
}

/** Whether a virtual host was refused that is there and does not run at the moment: 541, where one that is not has 530. */
export function isDown(cause: unknown): boolean {
  return cause instanceof ConnectionError && cause.replyCode === 541;
}

/** As much of an attempt's error as counts. */
export interface FailedAttempt {
  readonly code: string;
  readonly phase: ConnectPhase | undefined;
  /** What happened to the connection, whose own cause is what happened to its transport. */
  readonly cause?: unknown;
}

const refusals: ReadonlySet<string> = new Set(["AUTHENTICATION_FAILED", "VIRTUAL_HOST_REFUSED", "NO_COMMON_MECHANISM"]);

/** Whether the loss of an open connection is recovered from: always, unless the application closed it. */
export function isRecoverable(error: ConnectionError | undefined): boolean {
  return error !== undefined && error.code !== "CONNECTION_CLOSED" && error.code !== "CLOSE_TIMEOUT";
}

/** What a failed item of the topology is. */
export type TopologyItemKind = "channel" | "exchange" | "queue" | "binding" | "consumer";

/** What follows from the failure of one item. */
export type ItemVerdict =
  /** Try the item again after `delay`. */
  | { readonly action: "retry"; readonly delay: Millis }
  /** Declare the queue or exchange that is missing again, with its bindings, and then try the item again. */
  | { readonly action: "restore-dependency" }
  /** Leave the item out until the next outage, and say so. */
  | { readonly action: "skip" }
  /** Drop the connection and begin again: what the server did is unknown. */
  | { readonly action: "abort" };

/** What {@link judgeFailure} goes by. */
export interface ItemFailure {
  readonly kind: TopologyItemKind;
  readonly error: unknown;
  /** How often the item was tried, from 1. */
  readonly attempt: number;
  /** Since the item was tried first. */
  readonly elapsed: Millis;
  /** The negotiated heartbeat interval in seconds: the server notices a dead connection after three of them. */
  readonly heartbeat: number;
  /** Whether the queue or exchange that the item needs is recorded, so that it could be declared again. */
  readonly dependencyRecorded: boolean;
}

const lockRetryDelay: Millis = 1_000;
const shortestLockPatience: Millis = 15_000;
const lockPatienceMargin: Millis = 5_000;
const dependencyAttempts = 3;
const unavailableRetryDelay: Millis = 2_000;
const unavailableAttempts = 5;

/** Decides over an item that the server refused. The default policy; an application's hook may overrule it. */
export function judgeFailure(failure: ItemFailure): ItemVerdict {
  const { kind, error, attempt, elapsed, heartbeat, dependencyRecorded } = failure;
  if (cannotBeSent(error)) return { action: "skip" };
  if (!(error instanceof ChannelError) || error.replyCode === undefined) return { action: "abort" };
  const text = error.replyText ?? "";
  if (isHeldByOldSelf(kind, error.replyCode, text)) {
    const patience = Math.max(shortestLockPatience, 3_000 * heartbeat + lockPatienceMargin);
    return elapsed < patience ? { action: "retry", delay: lockRetryDelay } : { action: "skip" };
  }
  if (isUnavailable(error.replyCode, text)) {
    return attempt < unavailableAttempts
      ? { action: "retry", delay: unavailableRetryDelay * attempt }
      : { action: "skip" };
  }
  const needsSomething = kind === "binding" || kind === "consumer";
  if (error.replyCode === 404 && needsSomething && dependencyRecorded && attempt <= dependencyAttempts) {
    return { action: "restore-dependency" };
  }
  return { action: "skip" };
}

/**
 * Whether an item was refused before anything was sent, as it will be each time: a filter gave it what no table can hold,
 * or what fits the frames of this server no more.
 */
export function cannotBeSent(error: unknown): boolean {
  return error instanceof UsageError && error.code === "INVALID_ARGUMENT";
}

/** An exclusive queue or consumer of ours that a half-open old connection still holds. */
function isHeldByOldSelf(kind: TopologyItemKind, replyCode: number, text: string): boolean {
  return replyCode === 405 || (kind === "consumer" && replyCode === 403 && text.includes("in exclusive use"));
}

/** The queue exists, and its process or its node does not run at the moment. */
function isUnavailable(replyCode: number, text: string): boolean {
  return (
    replyCode === 506 ||
    ((replyCode === 404 || replyCode === 403) && /stopped|down|timed? ?out|unavailable/i.test(text))
  );
}
