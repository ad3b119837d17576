/** A connection that is lost and comes back, for the cases of recovery. */

import type { Channel, Connection, ConnectOptions, RecoveryOptions } from "@leveret/core/client";
import type { Break, ProxyHandle } from "./case.ts";
import type { Scene } from "./scene.ts";

/** Quicker than what anybody wants in production. */
export const backoff = { base: 40, max: 200 };

/** A connection through a proxy that recovers, and a second one past it that looks on. */
export interface Recovering {
  readonly proxy: ProxyHandle;
  readonly connection: Connection;
  readonly channel: Channel;
  readonly onlooker: Channel;
}

/** Opens both. */
export async function recovering(
  scene: Scene,
  recovery: RecoveryOptions = {},
  more: ConnectOptions = {},
): Promise<Recovering> {
  const proxy = await scene.proxy();
  const { connection, channel } = await scene.openThrough(proxy, {
    recovery: { backoff, ...recovery },
    ...more,
  });
  const { channel: onlooker } = await scene.open();
  return { proxy, connection, channel, onlooker };
}

/** Breaks the connection, and waits until it is back. */
export async function outage(scene: Scene, { proxy, connection }: Recovering, how: Break = "cut"): Promise<void> {
  const recovered = recovery(connection);
  await proxy.break(how);
  await scene.soon(recovered, "recovery");
}

/** The next recovery. */
export function recovery(connection: Connection): Promise<{ readonly failures: readonly unknown[] }> {
  return new Promise((resolve) => {
    const stop = connection.on("recovered", (event) => {
      stop();
      resolve(event);
    });
  });
}

/** The next loss; at once where there is no connection. */
export function lossOf(connection: Connection): Promise<void> {
  if (connection.state !== "open") return Promise.resolve();
  return new Promise((resolve) => {
    const stop = connection.on("disconnected", () => {
      stop();
      resolve();
    });
  });
}

/** Breaks the connection, and each new one, until {@link comeBack}. */
export async function goDown(scene: Scene, { proxy, connection }: Recovering, how: Break = "cut"): Promise<void> {
  await Promise.all([
    proxy.break(how),
    proxy.inflict({ breakAfter: { direction: "to-server", bytes: 0, how: "reset" } }),
  ]);
  await scene.until(() => connection.state === "connecting", "the loss");
}

/** Lets the connection come back, and waits until it is. */
export async function comeBack(scene: Scene, { proxy, connection }: Recovering): Promise<void> {
  await proxy.inflict({});
  await scene.soon(connection.ready(), "recovery");
}

/** Lets calls reach the server, but no answer come back. */
export function holdAnswers({ proxy }: Recovering): Promise<void> {
  return proxy.silence("to-client");
}

/** Whether a promise has not settled yet. */
export async function isPending(scene: Scene, promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const later = new Promise<symbol>((resolve) => scene.io.post(() => resolve(pending)));
  return (await Promise.race([promise.catch(() => {}), later])) === pending;
}
