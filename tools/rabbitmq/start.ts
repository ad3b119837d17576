/** Getting a broker: somebody else's, or a node of our own with a watchdog. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRoot } from "../lib/process.ts";
import type { RabbitMQCoordinates } from "./coordinates.ts";
import { RabbitMQUnavailableError } from "./errors.ts";
import { createFolder, removeNode } from "./folder.ts";
import { findInstallation } from "./installation.ts";
import { putUser } from "./management.ts";
import { attachRabbitMQ, bootAndRemember, type RabbitMQNode } from "./node.ts";
import { probeBroker } from "./probe.ts";

export interface StartOptions {
  /**
   * `"system"` for the machine's own RabbitMQ (default), or a version as exact as wanted: `"4"`, `"4.0"`, `"3.10"`.
   * Ignored when `AMQP_URL` names a broker.
   */
  readonly release?: string;
  /** True: the node lives on when this process ends, until somebody stops it. Default false. */
  readonly detached?: boolean;
}

/**
 * Gives a broker that serves clients: the one that `AMQP_URL` names, or else a new node on free ports in a folder of its
 * own. Such a node ends with `stop()`, or when this process ends in whatever way.
 *
 * @throws RabbitMQUnavailableError when there is none to be had; the message says how to get one.
 * @throws RabbitMQFailedError when the node does not boot.
 */
export async function startRabbitMQ({
  release = "system",
  detached = false,
}: StartOptions = {}): Promise<RabbitMQNode> {
  const url = process.env.AMQP_URL;
  if (url !== undefined && url !== "") return attachRabbitMQ(await coordinatesOf(url));

  const node = await createFolder(await findInstallation(release), detached);
  const { folder } = node.coordinates;
  const dismissWatchdog = detached ? async () => {} : watch([folder]);
  try {
    await bootAndRemember(node);
    await putUser(node.coordinates, node.coordinates.clientUser as string, "", ["/"]);
  } catch (error) {
    await removeNode(folder);
    await dismissWatchdog();
    throw error;
  }
  const handle = attachRabbitMQ(node.coordinates);
  return {
    ...handle,
    stop: async () => {
      await handle.stop();
      await dismissWatchdog();
    },
  };
}

/**
 * Starts a process that holds the other end of a pipe to this one. When this process ends, be it by SIGKILL, the pipe
 * ends, and the watchdog removes the nodes.
 *
 * @returns ends the watchdog.
 */
export function watch(folders: readonly string[]): () => Promise<void> {
  const ownNode = path.join(repositoryRoot, "node_modules/.bin/node");
  const program = fileURLToPath(new URL("watchdog.ts", import.meta.url));
  const watchdog = spawn(existsSync(ownNode) ? ownNode : process.execPath, [program, ...folders], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const ended = new Promise<void>((resolve) => watchdog.once("close", () => resolve()));
  watchdog.unref();
  (watchdog.stdin as Socket).unref();
  return async () => {
    watchdog.ref();
    watchdog.stdin.end();
    await ended;
  };
}

async function coordinatesOf(url: string): Promise<RabbitMQCoordinates> {
  const parsed = new URL(url);
  if (parsed.protocol !== "amqp:") throw new RabbitMQUnavailableError("AMQP_URL must be an amqp: URI");
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  const port = Number(parsed.port || 5672);
  const version = await probeBroker(host, port);
  if (version === undefined) throw new RabbitMQUnavailableError(`AMQP_URL: no broker answers at ${parsed.host}`);
  const managementUrl = process.env.RABBITMQ_MANAGEMENT_URL;
  return {
    version,
    url,
    host,
    port,
    virtualHost: decodeURIComponent(parsed.pathname.slice(1)) || "/",
    username: decodeURIComponent(parsed.username) || "guest",
    password: decodeURIComponent(parsed.password) || "guest",
    ...(managementUrl === undefined ? {} : { managementUrl: managementUrl.replace(/\/$/, "") }),
  };
}
