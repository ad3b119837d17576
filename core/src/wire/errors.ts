/** The errors of a codec: the peer's fault and the caller's fault are different classes. */

/**
 * What became of the operation that an error ended: it was not sent, so nothing happened; the server refused it, so
 * nothing happened either; or it was sent and nobody answered, so it may have happened.
 */
export type Outcome = "not-sent" | "refused" | "unknown";

/** Options of every error of the project. */
export interface AmqpErrorOptions {
  /** What led to this error. */
  readonly cause?: unknown;
  /** What became of the operation that failed, where the error belongs to one. */
  readonly outcome?: Outcome | undefined;
}

/** The base of every error that Leveret throws, rejects with or reports. */
export class AmqpError extends Error {
  /** The name of the class. Said in words, because a bundler shortens the names of classes. */
  override name = "AmqpError";
  /** What happened, as a word to switch on. Stable between releases, unlike `message`. */
  readonly code: string;
  /** What became of the operation that failed; `undefined` where the error belongs to none. */
  readonly outcome: Outcome | undefined;

  constructor(code: string, message: string, { cause, outcome }: AmqpErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.outcome = outcome;
  }

  /**
   * Whether the same call may succeed later, or on a new channel or connection, though nothing else changes. It does
   * not say that repeating is harmless: with the outcome `"unknown"` the operation may happen twice.
   */
  get retryable(): boolean {
    return false;
  }
}

/** What a {@link UsageError} can be about. */
export type UsageErrorCode =
  /** A value is of the wrong type, out of range, too long, or not encodable. */
  | "INVALID_ARGUMENT"
  /** The call is not legal in the present state, such as a publish on a closed channel. */
  | "ILLEGAL_STATE"
  /** A named limit was reached, such as the number of waiting requests or of channels. */
  | "LIMIT_REACHED"
  /** The peer or the runtime cannot do what was asked for. */
  | "NOT_SUPPORTED";

/** The caller's fault. Nothing was sent and nothing changed; the object that threw it stays usable. */
export class UsageError extends AmqpError {
  override name = "UsageError";
  declare readonly code: UsageErrorCode;

  constructor(code: UsageErrorCode, message: string, options?: AmqpErrorOptions) {
    super(code, message, { ...options, outcome: "not-sent" });
  }

  override get retryable(): boolean {
    return this.code === "LIMIT_REACHED";
  }
}

/** The reply codes that a peer's mistake on the wire can have (amqp0-9-1.xml, constants). */
export type ProtocolErrorCode =
  | "FRAME_ERROR"
  | "SYNTAX_ERROR"
  | "COMMAND_INVALID"
  | "CHANNEL_ERROR"
  | "UNEXPECTED_FRAME"
  | "RESOURCE_ERROR";

/** The peer's fault: bytes or methods that AMQP 0-9-1 does not allow, or that exceed a limit of ours. */
export class ProtocolError extends AmqpError {
  override name = "ProtocolError";
  declare readonly code: ProtocolErrorCode;

  /** The reply code that `connection.close` reports it with. */
  readonly replyCode: number;

  constructor(code: ProtocolErrorCode, message: string, options?: AmqpErrorOptions) {
    super(code, message, options);
    this.replyCode = protocolReplyCodes[code];
  }
}

const protocolReplyCodes: Readonly<Record<ProtocolErrorCode, number>> = {
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  RESOURCE_ERROR: 506,
};
