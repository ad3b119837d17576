/**
 * AMQP 0-9-1 for programs without `await`, on Node: `connect`, which blocks as everything behind it does.
 *
 * @packageDocumentation
 */

import { BlockingConnection, type BlockingConnectOptions } from "@leveret/core/blocking";
import { nodeBlocking } from "./services.ts";

export * from "@leveret/core/client";
export { nodeBlocking } from "./services.ts";
export * from "@leveret/core/blocking";

/** The program of the worker, beside this file: as source in the sources, built in the package. */
const worker = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/**
 * Connects to RabbitMQ, and blocks until it has. The connection lives in a worker thread, which ends with `close()`, or
 * with the process.
 *
 * @throws UsageError when an option is not legal, or is a function, which cannot go to another thread.
 * @throws ConnectionError when no connection came about; TimeoutError.
 */
export function connect(options: BlockingConnectOptions | string = {}): BlockingConnection {
  return new BlockingConnection(nodeBlocking(worker), options);
}
