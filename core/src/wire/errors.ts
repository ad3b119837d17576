/** The errors of a codec: the peer's fault and the caller's fault are different classes. */

/** Options of every error of the project. */
export interface AmqpErrorOptions {
  /** What led to this error. */
  readonly cause?: unknown;
}

/** The base of every error that Leveret throws, rejects with or reports. */
export class AmqpError extends Error {
  /** What happened, as a word to switch on. Stable between releases, unlike `message`. */
  readonly code: string;

  constructor(code: string, message: string, options?: AmqpErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
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
  declare readonly code: UsageErrorCode;

  constructor(code: UsageErrorCode, message: string, options?: AmqpErrorOptions) {
    super(code, message, options);
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
