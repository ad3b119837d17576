/** What an application calls. */

import { allAddresses, type Connection, type ConnectOptions, connectWith, recovery } from "@leveret/core/client";
import { nodeIo } from "./node-io.ts";

/** One for all connections: it has no state. */
const io = nodeIo();

/**
 * Connects to RabbitMQ, over TCP, TLS or a unix domain socket.
 *
 * Files that the options or a URI name (`tls.caFile`, `cacertfile`) are read again for every round of attempts, so
 * renewed certificates are used from the next connection on.
 *
 * @throws UsageError when an option is not legal. Nothing was sent.
 * @throws ConnectionError when no connection came about; its `code` and `phase` tell why.
 */
export function connect(options: ConnectOptions | string = {}): Promise<Connection> {
  return connectWith(io, options, { addresses: allAddresses, recovery, readFile });
}

/** Its module is loaded when there is a file. */
function readFile(path: string): Promise<Uint8Array> {
  return process.getBuiltinModule("node:fs/promises").readFile(path);
}
