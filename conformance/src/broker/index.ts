/** An AMQP 0-9-1 broker in memory that behaves as RabbitMQ does: for tests, demonstrations and simulations. */

export { Broker, type RestartOptions } from "./broker.ts";
export type { ConfirmOptions } from "./channel/confirms.ts";
export { BrokerConnection, type CloseOrder } from "./connection/connection.ts";
export type { ConnectionPhase, TransportOrder } from "./connection/session.ts";
export type { ClientFeatures } from "./connection/handshake.ts";
export type { PeerOptions } from "./connection/host.ts";
export { BrokerDriver, type DriverClock, type DriverLink, type DriverTransport } from "./driver.ts";
export type {
  BindingSnapshot,
  ChannelSnapshot,
  ConnectionSnapshot,
  ConsumerSnapshot,
  ExchangeSnapshot,
  MessageSnapshot,
  QueueSnapshot,
} from "./inspection.ts";
export type { Millis } from "./lib/timers.ts";
export type { BrokerLimits, BrokerOptions, BrokerSettings, TuningOptions } from "./options.ts";
export { type Profile, type ProfileName, profiles } from "./profile.ts";
export type { Permissions, UserOptions } from "./users.ts";
export { serveWebSocket, type WebSocketLike } from "./websocket.ts";
