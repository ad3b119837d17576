/** Connections that break, and come back. */

import type { Channel, Connection, ConnectOptions, RecoveryOptions } from "@leveret/core/client";
import type { Break, ProxyHandle } from "./case.ts";
import type { Scene } from "./scene.ts";

/** Quicker than what anybody wants in production. */
export const backoff = { base: 50, max: 500 };

/** A connection through a proxy that recovers, and a second one past it that looks on. */
export interface Recovering {
  readonly proxy: ProxyHandle;
  readonly connection: Connection;
  readonly channel: Channel;
  readonly onlooker: Channel;
}

export async function recovering(
  scene: Scene,
  recovery: RecoveryOptions = {},
  more: ConnectOptions = {},
): Promise<Recovering> {
  const proxy = await scene.proxy();
  const { connection, channel } = await scene.openThrough(proxy, { recovery: { backoff, ...recovery }, ...more });
  const { channel: onlooker } = await scene.open();
  return { proxy, connection, channel, onlooker };
}

/** Breaks the connection, and waits until it is back. */
export async function outage(scene: Scene, { proxy, connection }: Recovering, how: Break = "cut"): Promise<void> {
  const recovered = new Promise<void>((resolve) => {
    const stop = connection.on("recovered", () => {
      stop();
      resolve();
    });
  });
  await proxy.break(how);
  await scene.soon(recovered, "recovery");
}
