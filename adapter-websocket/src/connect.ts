/** What an application calls. */

import { type Connection, type ConnectOptions, connect as connectWith } from "@leveret/core/client";
import { webSocketIo } from "./services.ts";

/**
 * Connects to RabbitMQ through a relay, such as `wss://relay.example.com/`; or to a broker that speaks WebSocket itself.
 *
 * @throws UsageError when an option is not legal. Nothing was sent.
 * @throws ConnectionError when no connection came about; its `code` and `phase` tell why.
 */
export function connect(options: ConnectOptions | string): Promise<Connection> {
  return connectWith(webSocketIo(), options);
}
