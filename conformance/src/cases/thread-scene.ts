/** What the cases of threads have in common: a channel whose two ends are in one thread. */

import type { Connection } from "@leveret/core/client";
import {
  serveChannel,
  type ServedChannel,
  type ServeOptions,
  workerChannel,
  type WorkerChannel,
} from "@leveret/core/threads";
import { bytes, type Scene } from "./scene.ts";

/** What {@link threads} makes. */
export interface Threads {
  readonly connection: Connection;
  readonly served: ServedChannel;
  readonly worker: WorkerChannel;
}

/** A connection, whose channel is used through a port. */
export async function threads(scene: Scene, options: ServeOptions = {}): Promise<Threads> {
  const connection = await scene.connect();
  return { connection, ...(await apart(scene, connection, options)) };
}

/** A channel of the connection, at the other end of a port. */
export async function apart(
  scene: Scene,
  connection: Connection,
  options: ServeOptions = {},
): Promise<Omit<Threads, "connection">> {
  const { port1, port2 } = new MessageChannel();
  const [served, worker] = await Promise.all([serveChannel(connection, port1, options), workerChannel(port2)]);
  scene.after(() => served.close());
  return { served, worker };
}

/** A queue of the connection, made from the other end. */
export async function queueOf(scene: Scene, worker: WorkerChannel): Promise<string> {
  return (await worker.queueDeclare({ queue: scene.name("queue"), exclusive: true })).queue;
}

/** Publishes texts, and waits until they are there. */
export async function fill(worker: WorkerChannel, queue: string, ...texts: string[]): Promise<void> {
  if (worker.mode === "plain") await worker.confirmSelect();
  await Promise.all(texts.map((one) => worker.basicPublish({ exchange: "", routingKey: queue, body: bytes(one) })));
}

/** How many messages are ready in a queue. */
export async function readyIn(worker: WorkerChannel, queue: string): Promise<number> {
  return (await worker.queueDeclare({ queue, passive: true })).messageCount;
}

/** That many texts. */
export const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);
