/**
 * AMQP 0-9-1 client for RabbitMQ over WebSocket, for pages, web workers, and every other runtime that has a WebSocket:
 * `connect`, and everything of `@leveret/core/client`. The relay that it needs is `@leveret/websocket/relay`.
 */

export * from "@leveret/core/client";
export { connect, connectOnce } from "./connect.ts";
export { webSocketIo, type WebSocketIoOptions } from "./websocket-io.ts";
export type {
  CloseLike,
  WebSocketConstructor,
  WebSocketLike,
  WebSocketStreamConstructor,
  WebSocketStreamLike,
} from "./standard-types.ts";
