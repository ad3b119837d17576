/**
 * A connection's channels in other threads: the thread with the connection serves a channel, or a pool of workers,
 * through message ports; workers consume, settle and publish there.
 *
 * @packageDocumentation
 */

export {
  handleDeliveries,
  type PoolHandler,
  type PoolHandlerOptions,
} from "./handle-deliveries.ts";
export type { LentMessage } from "./lent-message.ts";
export { openWorkerPool, type WorkerPool, type WorkerPoolEvents, type WorkerPoolOptions } from "./pool.ts";
export type { PortListener, PortMessage, ThreadPort } from "./port.ts";
export type { PortEnd } from "./port-host.ts";
export type { ThreadPublishOptions } from "./publish-item.ts";
export { serveChannel, type ServedChannel, type ServedChannelEvents, type ServeOptions } from "./serve.ts";
export { ThreadError, type ThreadErrorCode } from "./thread-error.ts";
export {
  workerChannel,
  type WorkerChannel,
  type WorkerChannelEvents,
  type WorkerChannelOptions,
} from "./worker-channel.ts";
export type { WorkerConsumer, WorkerConsumerEnd } from "./worker-consumer.ts";
export type { WorkerHandlerOptions } from "./worker-consumers.ts";
export { iterateDeliveries, type WorkerIterableConsumer, type WorkerIterateOptions } from "./worker-iterator.ts";
export {
  openWorkerPublisher,
  type WorkerPublisher,
  type WorkerPublisherOptions,
  type WorkerPublishOptions,
} from "./worker-publisher.ts";
export type { SettleOptions, WorkerConsumerDelivery, WorkerDelivery, WorkerGotMessage } from "./worker-delivery.ts";
export type { WorkerHandler } from "./worker-handlers.ts";
export type { WorkerLike, WorkerScope } from "./worker-like.ts";
