/** Errors on their way to another thread: they arrive as instances of the same classes, with all that they say. */

import { Content } from "../engine/content.ts";
import { ChannelError, type CloseReason, ConnectionError, type ConnectionErrorOptions } from "../engine/errors.ts";
import {
  AmqpError,
  type AmqpErrorOptions,
  ProtocolError,
  type ProtocolErrorCode,
  UsageError,
  type UsageErrorCode,
} from "../wire/errors.ts";
import {
  AbortError,
  ConnectAttemptError,
  ConnectError,
  ConsumerCancelledError,
  ConsumerRecoveryError,
  FlushError,
  NackError,
  NotConnectedError,
  SettlementError,
  TimeoutError,
  TransactionError,
  UnroutableError,
} from "../client/errors.ts";
import { TransportError, type TransportErrorOptions } from "../client/io-services.ts";
import { ReturnedMessage } from "../client/returned-message.ts";
import { ownBytes, type Packed } from "./pack.ts";
import { ThreadError, type ThreadErrorCode } from "./thread-error.ts";

/** Causes of causes that travel along. */
const maxCauses = 8;

/** An error as it travels. */
export interface PackedError {
  /** A class of {@link classes}; of another error, its own name. */
  readonly name: string;
  readonly message: string;
  /** What its class adds: plain values, and packed errors. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause?: PackedCause | undefined;
  readonly errors?: readonly PackedError[] | undefined;
  readonly returned?: PackedReturn | undefined;
}

/** What an error can have for a cause. */
type PackedCause = { readonly error: PackedError } | { readonly value: string | number | boolean | bigint | null };

/** A message that came back, as it travels. */
export interface PackedReturn {
  readonly replyCode: number;
  readonly replyText: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}

/** Makes anything that was thrown ready to travel. */
export function packError(error: unknown, causes = 0): PackedError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), fields: {} };
  const { cause } = error;
  const { errors } = error as { errors?: unknown };
  return {
    name: error instanceof AmqpError ? classNameOf(error) : error.name,
    message: error.message,
    fields: plainFields(error),
    ...(cause === undefined || causes >= maxCauses ? {} : { cause: packCause(cause, causes) }),
    ...(Array.isArray(errors) ? { errors: errors.map((one) => packError(one, causes + 1)) } : {}),
    ...(error instanceof UnroutableError ? { returned: packReturn(error.returned) } : {}),
  };
}

/** The error that was packed; its stack is that of whoever unpacks it. */
export function unpackError(packed: PackedError): Error {
  const revive = Object.hasOwn(revivers, packed.name) ? revivers[packed.name] : undefined;
  const error = revive?.(packed, optionsOf(packed)) ?? foreignError(packed);
  if (error.message !== packed.message) {
    Object.defineProperty(error, "message", {
      value: packed.message,
      enumerable: false,
      configurable: true,
      writable: true,
    });
  }
  return error;
}

export function packReturn(returned: ReturnedMessage): PackedReturn {
  const { replyCode, replyText, exchange, routingKey, encodedProperties, body } = returned;
  const properties = ownBytes(encodedProperties.bytes);
  return { replyCode, replyText, exchange, routingKey, properties, body: ownBytes(body) };
}

export function unpackReturn({ body, properties, ...rest }: PackedReturn): ReturnedMessage {
  return new ReturnedMessage({ type: "basic.return", channel: 0, ...rest, content: new Content(body, properties) });
}

type Reviver = (packed: PackedError, options: AmqpErrorOptions) => AmqpError;

/** How each class is made again. A test holds this table against what the client exports. */
const revivers: Readonly<Record<string, Reviver>> = {
  AmqpError: (packed, options) => new AmqpError(codeOf(packed), packed.message, options),
  UsageError: (packed, options) => new UsageError(codeOf<UsageErrorCode>(packed), packed.message, options),
  ProtocolError: (packed, options) => new ProtocolError(codeOf<ProtocolErrorCode>(packed), packed.message, options),
  TransportError: (packed, options) =>
    new TransportError(codeOf<TransportError["code"]>(packed), packed.message, {
      ...options,
      phase: packed.fields["phase"] as TransportErrorOptions["phase"],
      errors: packed.errors?.map(unpackError) ?? [],
    }),
  ConnectionError: (packed, options) =>
    new ConnectionError(codeOf<ConnectionError["code"]>(packed), packed.message, connectionOptions(packed, options)),
  ConnectError: (packed, options) =>
    new ConnectError(
      codeOf<ConnectError["code"]>(packed),
      packed.message,
      (packed.errors ?? []).map((one) => unpackError(one) as ConnectAttemptError),
      connectionOptions(packed, options),
    ),
  ConnectAttemptError: (packed, { cause }) => {
    const { endpoint, round, phase } = packed.fields as unknown as ConnectAttemptError;
    return new ConnectAttemptError(codeOf<ConnectAttemptError["code"]>(packed), { endpoint, round, phase }, cause);
  },
  ChannelError: (packed, options) =>
    new ChannelError(codeOf<ChannelError["code"]>(packed), packed.message, packed.fields as CloseReasonFields, options),
  NackError: (_packed, { outcome }) => new NackError(outcome),
  UnroutableError: ({ returned }, { outcome }) => new UnroutableError(unpackReturn(returned as PackedReturn), outcome),
  TimeoutError: ({ message }, { outcome }) => new TimeoutError(message, outcome ?? "unknown"),
  AbortError: (_packed, { cause, outcome }) => new AbortError(cause, outcome ?? "unknown"),
  SettlementError: (packed, options) =>
    new SettlementError(codeOf<SettlementError["code"]>(packed), packed.fields["deliveryTag"] as number, options),
  ConsumerCancelledError: ({ fields }) => new ConsumerCancelledError(fields["consumerTag"] as string),
  ConsumerRecoveryError: ({ fields }, { cause }) => new ConsumerRecoveryError(fields["consumerTag"] as string, cause),
  FlushError: ({ fields, errors = [] }, { outcome }) =>
    new FlushError(
      fields["failed"] as number,
      errors.map((one) => unpackError(one) as AmqpError),
      outcome ?? "unknown",
    ),
  NotConnectedError: ({ message }, { cause }) => new NotConnectedError(message, cause),
  TransactionError: (packed, { cause }) => new TransactionError(codeOf<TransactionError["code"]>(packed), cause),
  ThreadError: (packed, options) => new ThreadError(codeOf<ThreadErrorCode>(packed), packed.message, options),
};

type CloseReasonFields = Partial<CloseReason>;

/** By class and not by the name of its constructor, which a bundler may have shortened. What extends another comes first. */
const classes: readonly (readonly [string, new (...given: never[]) => AmqpError])[] = [
  ["ConnectError", ConnectError],
  ["UsageError", UsageError],
  ["ProtocolError", ProtocolError],
  ["TransportError", TransportError],
  ["ConnectionError", ConnectionError],
  ["ConnectAttemptError", ConnectAttemptError],
  ["ChannelError", ChannelError],
  ["NackError", NackError],
  ["UnroutableError", UnroutableError],
  ["TimeoutError", TimeoutError],
  ["AbortError", AbortError],
  ["SettlementError", SettlementError],
  ["ConsumerCancelledError", ConsumerCancelledError],
  ["ConsumerRecoveryError", ConsumerRecoveryError],
  ["FlushError", FlushError],
  ["NotConnectedError", NotConnectedError],
  ["TransactionError", TransactionError],
  ["ThreadError", ThreadError],
];

/** The nearest class that the other side knows, so that an error of an application's own class is still an AmqpError. */
function classNameOf(error: AmqpError): string {
  return classes.find(([, known]) => error instanceof known)?.[0] ?? "AmqpError";
}

function plainFields(error: Error): Record<string, Packed> {
  const fields: Record<string, Packed> = {};
  for (const [name, value] of Object.entries(error)) {
    if (value !== null && (typeof value === "object" || typeof value === "function" || typeof value === "symbol"))
      continue;
    fields[name] = value;
  }
  return fields;
}

function packCause(cause: unknown, causes: number): PackedCause {
  if (cause instanceof Error) return { error: packError(cause, causes + 1) };
  const type = typeof cause;
  const plain = type === "string" || type === "number" || type === "boolean" || type === "bigint" || cause === null;
  return { value: plain ? (cause as string) : describe(cause) };
}

function describe(cause: unknown): string {
  return typeof cause === "symbol" ? cause.toString() : Object.prototype.toString.call(cause);
}

function optionsOf({ cause, fields }: PackedError): AmqpErrorOptions {
  const outcome = fields["outcome"] as AmqpErrorOptions["outcome"];
  if (cause === undefined) return { outcome };
  return { outcome, cause: "error" in cause ? unpackError(cause.error) : cause.value };
}

function connectionOptions({ fields }: PackedError, options: AmqpErrorOptions): ConnectionErrorOptions {
  const {
    phase,
    replyCode,
    replyText = "",
    method,
    possibleLoss,
  } = fields as ConnectionErrorOptions & CloseReasonFields;
  const reason = replyCode === undefined ? undefined : { replyCode, replyText, method };
  return { ...options, phase, possibleLoss, reason };
}

function codeOf<Code extends string>({ fields }: PackedError): Code {
  return fields["code"] as Code;
}

/** An error of the runtime or of the application. */
function foreignError(packed: PackedError): Error {
  const options = optionsOf(packed);
  const error = new Error(packed.message, "cause" in options ? { cause: options.cause } : undefined);
  error.name = packed.name;
  if (packed.fields["code"] !== undefined) Object.assign(error, { code: packed.fields["code"] });
  return error;
}
