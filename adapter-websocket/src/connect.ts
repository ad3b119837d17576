/** What an application calls. */

import {
  type Connection,
  type ConnectOptions,
  connectWith,
  type ConnectParts,
  recovery,
  webSocketAddresses,
} from "@leveret/core/client";
import { webSocketIo } from "./websocket-io.ts";

/**
 * Connects to RabbitMQ through a relay, such as `wss://relay.example.com/`; or to a broker that speaks WebSocket itself.
 *
 * @throws UsageError when an option is not legal. Nothing was sent.
 * @throws ConnectionError when no connection came about; its `code` and `phase` tell why.
 */
export function connect(options: ConnectOptions | string): Promise<Connection> {
  return connectWith(webSocketIo(), options, recovering);
}

/**
 * As {@link connect}, for a page that does not need recovery and has no bytes to spare for it: a loss is the end of the
 * connection, as with `recovery: false`, and recovery is not even loaded.
 *
 * @throws as {@link connect}; UsageError NOT_SUPPORTED for the option `recovery`, unless it is `false`.
 */
export function connectOnce(options: ConnectOptions | string): Promise<Connection> {
  return connectWith(webSocketIo(), options, once);
}

const recovering: ConnectParts = { addresses: webSocketAddresses, recovery };
const once: ConnectParts = { addresses: webSocketAddresses, recovery: undefined };
