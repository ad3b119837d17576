/** Why a connection or a channel ended. What a caller did wrong is a `UsageError`, what a peer did wrong on the wire a `ProtocolError`. */

import { AmqpError, type AmqpErrorOptions } from "../wire/errors.ts";
import type { MethodName } from "../wire/method-types.ts";

/** How far connecting had come: name look-up, TCP, TLS (or WebSocket) by the transport, then the steps of AMQP's handshake. */
export type ConnectPhase = "dns" | "tcp" | "tls" | "header" | "sasl" | "tune" | "open";

/** What the peer said when it closed a connection or a channel. */
export interface CloseReason {
  /** AMQP's reply code, such as 320 or 404. */
  readonly replyCode: number;
  /** The peer's words. */
  readonly replyText: string;
  /** The method that failed, when the peer named one. */
  readonly method?: MethodName | undefined;
}

/** What a {@link ConnectionError} can be about. */
export type ConnectionErrorCode =
  /** We closed the connection; calls that were under way end with this. */
  | "CONNECTION_CLOSED"
  /** The server closed it, with a reply code. */
  | "CONNECTION_CLOSED_BY_SERVER"
  /** The transport ended without a farewell. `phase` tells whether that was during connecting. */
  | "CONNECTION_LOST"
  /** Nothing was heard from the server for two heartbeat intervals. */
  | "HEARTBEAT_TIMEOUT"
  /** The server kept the connection blocked for longer than `blockedTimeout`. */
  | "BLOCKED_TIMEOUT"
  /** The server did not answer our `connection.close` in `closeTimeout`. */
  | "CLOSE_TIMEOUT"
  /** The server broke the protocol, or exceeded a limit of ours; `cause` is the `ProtocolError`. */
  | "PROTOCOL_ERROR"
  /** Whatever listens there does not speak AMQP. */
  | "NOT_AMQP"
  /** The server speaks another version of AMQP. */
  | "PROTOCOL_VERSION_REFUSED"
  /** The server expects TLS on this port. */
  | "TLS_EXPECTED"
  /** The server offers none of the SASL mechanisms that we may use. */
  | "NO_COMMON_MECHANISM"
  /** The server refused the credentials (403 during login), or a SASL mechanism of ours failed. */
  | "AUTHENTICATION_FAILED"
  /** The server's limits and ours cannot be brought together, such as a frame-max below the protocol's minimum. */
  | "TUNING_FAILED"
  /** The virtual host does not exist, is down, or is not permitted (`connection.open` was refused). */
  | "VIRTUAL_HOST_REFUSED"
  /** The handshake was not finished in `handshakeTimeout`. */
  | "HANDSHAKE_TIMEOUT"
  /** A request of the connection itself was not answered in `requestTimeout`. */
  | "REQUEST_TIMEOUT"
  /** Every endpoint failed in every attempt; `errors` has each failure. */
  | "CONNECT_FAILED"
  /** The caller's AbortSignal ended the attempt to connect; `cause` is its reason. */
  | "CONNECT_ABORTED";

/** Details of a {@link ConnectionError}. */
export interface ConnectionErrorOptions extends AmqpErrorOptions {
  /** The phase of a connect that failed; absent once the connection was open. */
  readonly phase?: ConnectPhase | undefined;
  /** The server's words, where it closed the connection. */
  readonly reason?: CloseReason | undefined;
  /** See {@link ConnectionError.possibleLoss}. */
  readonly possibleLoss?: boolean | undefined;
}

/** A connection ended, or did not come about. */
export class ConnectionError extends AmqpError {
  override name = "ConnectionError";
  declare readonly code: ConnectionErrorCode;

  /** The phase of a connect that failed; `undefined` once the connection was open. */
  readonly phase: ConnectPhase | undefined;
  /** AMQP's reply code, where the server closed the connection. */
  readonly replyCode: number | undefined;
  /** The server's words, where it closed the connection. */
  readonly replyText: string | undefined;
  /** The method that the server blamed, where it named one. */
  readonly method: MethodName | undefined;
  /**
   * Whether a message may be lost with the answer of the call: the server settles a message of `basicGet` with `noAck` as
   * it sends it.
   */
  readonly possibleLoss: boolean;

  constructor(code: ConnectionErrorCode, message: string, options: ConnectionErrorOptions = {}) {
    super(code, message, options);
    this.phase = options.phase;
    this.replyCode = options.reason?.replyCode;
    this.replyText = options.reason?.replyText;
    this.method = options.reason?.method;
    this.possibleLoss = options.possibleLoss ?? false;
  }

  override get retryable(): boolean {
    const byReplyCode = this.code === "CONNECTION_CLOSED_BY_SERVER" || this.code === "VIRTUAL_HOST_REFUSED";
    if (byReplyCode) return passingReplyCodes.has(this.replyCode ?? 0);
    return passingConnectionErrors.has(this.code);
  }
}

/** We closed the connection. */
export function closedByClient(): ConnectionError {
  return new ConnectionError("CONNECTION_CLOSED", "The connection was closed by the client");
}

/** What a new connection may be spared. */
const passingConnectionErrors: ReadonlySet<ConnectionErrorCode> = new Set([
  "CONNECTION_LOST",
  "HEARTBEAT_TIMEOUT",
  "BLOCKED_TIMEOUT",
  "CLOSE_TIMEOUT",
  "HANDSHAKE_TIMEOUT",
  "REQUEST_TIMEOUT",
]);

/** Reply codes that tell of the server's condition, not of what the client did: connection-forced, resource-error, internal-error; resource-locked on a channel. */
const passingReplyCodes: ReadonlySet<number> = new Set([320, 506, 541, 405]);

/** What a {@link ChannelError} can be about. */
export type ChannelErrorCode =
  /** We closed the channel; calls that were under way end with this. */
  | "CHANNEL_CLOSED"
  /** The server closed it, with a reply code. */
  | "CHANNEL_CLOSED_BY_SERVER"
  /** The server that the client reconnected to allows fewer channels than the one before. */
  | "CHANNEL_LIMIT"
  /** A request was not answered in `requestTimeout`. Its late answer could not be told from the next one, so the channel was closed. */
  | "REQUEST_TIMEOUT";

/** A channel ended while its connection lives on. */
export class ChannelError extends AmqpError {
  override name = "ChannelError";
  declare readonly code: ChannelErrorCode;

  /** AMQP's reply code, where the server closed the channel. */
  readonly replyCode: number | undefined;
  /** The server's words, where it closed the channel. */
  readonly replyText: string | undefined;
  /** The method that failed: the one that the server blamed, or the request that timed out. */
  readonly method: MethodName | undefined;

  constructor(code: ChannelErrorCode, message: string, reason?: Partial<CloseReason>, options?: AmqpErrorOptions) {
    super(code, message, options);
    this.replyCode = reason?.replyCode;
    this.replyText = reason?.replyText;
    this.method = reason?.method;
  }

  override get retryable(): boolean {
    return this.code === "REQUEST_TIMEOUT" || passingReplyCodes.has(this.replyCode ?? 0);
  }
}
