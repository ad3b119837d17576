/**
 * The protocol engine of AMQP 0-9-1: bytes in, events out. For embedders with a loop and a transport of their own; the
 * promise client is `@leveret/core/client`.
 *
 * @packageDocumentation
 */

export type {
  ChannelEngine,
  ChannelMode,
  ChannelRequestName,
  Farewell,
  NoWaitName,
  OneWayName,
} from "./engine/channel-engine.ts";
export type { ConnectionConfig, EngineLimits, Millis, TappedFrame } from "./engine/config.ts";
export { ConnectionEngine } from "./engine/connection-engine.ts";
export { Content } from "./engine/content.ts";
export {
  ChannelError,
  type ChannelErrorCode,
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionErrorOptions,
  type ConnectPhase,
} from "./engine/errors.ts";
export type * from "./engine/events.ts";
export type { EngineCounters, Publication } from "./engine/frame-writer.ts";
export { defaultLimits } from "./engine/limits.ts";
export type { Request } from "./engine/request.ts";
export { amqplain, anonymous, external, plain, type SaslMechanism } from "./engine/sasl.ts";
export * from "./wire/index.ts";
