/**
 * Blocking calls over a worker; the adapters (`@leveret/node/blocking` and its sisters) export this with a `connect` of
 * their own.
 *
 * @packageDocumentation
 */

export { type BlockingChannel, type BlockingDeliveryHandler } from "./blocking-channel.ts";
export { BlockingConnection, type BlockingConnectionEvents } from "./blocking-connection.ts";
export type { BlockingConsumerDelivery, BlockingDelivery, BlockingGotMessage } from "./blocking-delivery.ts";
export type {
  Blocking,
  BlockingConsumeOptions,
  BlockingIterateOptions,
  BlockingOptions,
  BlockingPublishOptions,
} from "./blocking-options.ts";
export { CallbackCaller, type CallbackHandle } from "./callback-handle.ts";
export type { BlockingConnectOptions } from "./connect-options.ts";
export type { BlockingServices, StartedWorker } from "./services.ts";
