/**
 * The promise client: connections, channels, publishers and consumers over the I/O services of a runtime. The adapters
 * (`@leveret/node` and its sisters) export all of it again, with a `connect` of their own.
 *
 * @packageDocumentation
 */

export type {
  BindingArguments,
  ConsumerArguments,
  ExchangeArguments,
  MessageHeaders,
  QueueArguments,
} from "./arguments.ts";
export { BatchError, type BatchFailure, type BatchMessage, type BatchOptions, publishBatch } from "./batch.ts";
export type { Channel, RawRequestName } from "./channel.ts";
export type { ReplyFields } from "./channel-core.ts";
export type { ChannelEvents, ChannelState } from "./channel-host.ts";
export type * from "./channel-options.ts";
export {
  type Codec,
  decodeMessage,
  type EncodedMessage,
  encodeMessage,
  type MaybePromise,
  type ValueOf,
} from "./codecs/codec.ts";
export { CodecError, type CodecErrorCode } from "./codecs/codec-error.ts";
export { bytesCodec, type GzipOptions, gzipCodec, jsonCodec, oneOfCodecs, textCodec } from "./codecs/codecs.ts";
export {
  type DecodedDelivery,
  type DecodingOptions,
  openTypedConsumer,
  type TypedIterableConsumer,
  type ValueHandler,
} from "./codecs/typed-consumer.ts";
export {
  openTypedPublisher,
  type TypedPublisher,
  type TypedPublisherOptions,
  type TypedPublishOptions,
} from "./codecs/typed-publisher.ts";
export type { Addresses } from "./addresses/addresses.ts";
export { allAddresses } from "./addresses/all-addresses.ts";
export { webSocketAddresses } from "./addresses/websocket-addresses.ts";
export { connect, connectWith } from "./connect.ts";
export type { ConnectParts, RecoveryPart } from "./connect-parts.ts";
export type { Connection } from "./connection.ts";
export type { CloseOptions, InFlight, Negotiated } from "./connection-options.ts";
export type { ConnectionEvents, ConnectionState } from "./connection-events.ts";
export type { Consumer, ConsumerClosed, IterableConsumer } from "./consumer.ts";
export type { ConsumeOptions, ConsumerEnd, DeliveryHandler, HandlerOptions } from "./consumer-options.ts";
export type { ConsumerDelivery, Delivery, GotMessage } from "./delivery.ts";
export type { IterateOptions, TakeOptions } from "./delivery-queue.ts";
export {
  AbortError,
  ConnectAttemptError,
  type ConnectAttemptErrorCode,
  ConnectError,
  ConsumerCancelledError,
  ConsumerRecoveryError,
  type EndError,
  FlushError,
  NackError,
  NotConnectedError,
  recoveryOf,
  SettlementError,
  type SettlementErrorCode,
  TimeoutError,
  TransactionError,
  type TransactionErrorCode,
  UnroutableError,
} from "./errors.ts";
export { type ErrorFacts, errorFacts, type FailureKind, failureKind } from "./error-facts.ts";
export type { Instrumentation } from "./instrumentation/instrumentation.ts";
export type * from "./instrumentation/hooks.ts";
export { type Logger, type LogLevel, type LogOptions, logTo } from "./instrumentation/log.ts";
export { instrument } from "./instrumentation/observer.ts";
export * from "./io-services.ts";
export * from "./message-headers.ts";
export { encodeProperties, type OutgoingProperties } from "./outgoing-properties.ts";
export type * from "./parameters.ts";
export {
  type ConsumerInterruption,
  keepConsuming,
  type KeepOptions,
  type KeptConsumer,
} from "./kept-consumer.ts";
export type { Publisher, PublisherEvents, SendFailure } from "./publisher.ts";
export type { PublisherOptions, PublishOptions } from "./publisher-options.ts";
export type { WaitOptions } from "./publishing.ts";
export { recovery } from "./recovery.ts";
export type { RecoveryOptions, TopologyAction, TopologyFailure, TopologyItem } from "./recovery-options.ts";
export type { ReturnedMessage } from "./returned-message.ts";
export { type RetryState, retryStateOf } from "./retries/retry-headers.ts";
export { declareRetryQueues, delayQueueOf, type RetryQueues } from "./retries/retry-queues.ts";
export {
  openRetryingConsumer,
  type RetryAttempt,
  type RetryCounters,
  type RetryHandler,
  type RetryingConsumer,
  type RetryOptions,
} from "./retries/retrying-consumer.ts";
export { openRpcClient, type RpcClient, type RpcReply } from "./rpc/rpc-client.ts";
export { errorCodeHeader, errorMessageHeader, RpcError } from "./rpc/rpc-error.ts";
export type { ReplyQueueOptions, RpcCallOptions, RpcClientOptions, RpcServerOptions } from "./rpc/rpc-options.ts";
export {
  type ReplyProperties,
  replyWith,
  type ReplyWith,
  type RpcHandler,
  type RpcRequest,
} from "./rpc/rpc-request.ts";
export { openRpcServer, type RpcServer, type RpcServerCounters } from "./rpc/rpc-server.ts";
export { keepOpen, type KeepOpenOptions } from "./kept-channel.ts";
export type { SettleResult } from "./settlement.ts";
export { StreamGate } from "./stream-gate.ts";
export { parseUri } from "./addresses/uri.ts";
export type { ParsedUri } from "./addresses/uri-parts.ts";

export type { ChannelMode, Farewell } from "../engine/channel-engine.ts";
export type { EngineLimits, Millis, TappedFrame } from "../engine/config.ts";
export {
  ChannelError,
  type ChannelErrorCode,
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionErrorOptions,
  type ConnectPhase,
} from "../engine/errors.ts";
export { type BackoffOptions, defaultBackoff } from "../recovery/backoff.ts";
export type { BindingRecord, ChannelRecord, ConsumerRecord, ExchangeRecord, QueueRecord } from "../recovery/records.ts";
export type { TopologyFilter, TopologyMode } from "../recovery/replay.ts";
export type { EngineCounters, Publication } from "../engine/frame-writer.ts";
export { defaultLimits } from "../engine/limits.ts";
export { amqplain, anonymous, external, plain, type SaslMechanism } from "../engine/sasl.ts";
export {
  AmqpError,
  type AmqpErrorOptions,
  type Outcome,
  ProtocolError,
  type ProtocolErrorCode,
  UsageError,
  type UsageErrorCode,
} from "../wire/errors.ts";
export * from "../wire/field-values.ts";
export { type BasicProperties, EncodedProperties } from "../wire/properties.ts";
export { decodeText, encodeText } from "../wire/text.ts";
