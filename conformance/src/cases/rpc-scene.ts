/** What the cases of remote calls have in common: a client, a server, and handlers. */

import {
  type Connection,
  decodeText,
  encodeText,
  openRpcClient,
  openRpcServer,
  type RpcClient,
  type RpcClientOptions,
  type RpcHandler,
  type RpcServer,
  type RpcServerOptions,
} from "@leveret/core/client";
import { gate } from "./gate.ts";
import type { Scene } from "./scene.ts";

/** What goes there and back. */
export type Bytes = Uint8Array;

/** Answers with the text of the request, in capitals. */
export const capitals: RpcHandler<Bytes, Bytes> = (body) => encodeText(decodeText(body).toUpperCase());

/** What {@link calling} makes. */
export interface Calling {
  readonly connection: Connection;
  readonly queue: string;
  readonly client: RpcClient;
  readonly server: RpcServer;
}

/** A client and a server, each on a connection of its own. */
export async function calling(
  scene: Scene,
  handler: RpcHandler<Bytes, Bytes>,
  clientOptions: RpcClientOptions<Bytes, Bytes> = {},
  serverOptions: Partial<RpcServerOptions<Bytes, Bytes>> = {},
): Promise<Calling> {
  const { connection, channel } = await scene.open();
  const queue = await scene.queue(channel);
  const server = await openRpcServer(connection, { queue, ...serverOptions }, handler);
  const client = await openRpcClient(await scene.connect(), { routingKey: queue, ...clientOptions });
  return { connection, queue, client, server };
}

/** Rejects with the signal's reason when it aborts. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
    if (signal.aborted) reject(signal.reason as Error);
  });
}

/** `capitals`, but the first request is held until `open` is called. */
export function capitalsAfterAWait(): {
  readonly handler: RpcHandler<Bytes, Bytes>;
  /** How many requests came so far. */
  readonly requests: () => number;
  readonly open: () => void;
} {
  const { passed, open } = gate();
  let count = 0;
  const handler: RpcHandler<Bytes, Bytes> = async (body, request) => {
    count += 1;
    if (count === 1) await passed;
    return capitals(body, request);
  };
  return { handler, requests: () => count, open };
}
