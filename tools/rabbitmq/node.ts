/** A broker, and what a test can do to it. */

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { CommandError, runOrThrow } from "../lib/process.ts";
import { boot } from "./boot.ts";
import type { RabbitMQCoordinates } from "./coordinates.ts";
import { RabbitMQFailedError, RabbitMQUnavailableError } from "./errors.ts";
import { diskLimit, environmentOf, memoryLimit, type NodeDescription, readDescription, removeNode } from "./folder.ts";
import { commandOf } from "./installation.ts";
import { callManagement, putUser, putVirtualHost } from "./management.ts";
import { poll } from "./poll.ts";
import { processesOf, signal } from "./processes.ts";

const shutdownWithin = 60_000;

/**
 * A broker, and what a test can do to it. All but the calls to the management API need a node that was started here, and
 * throw RabbitMQUnavailableError for any other broker.
 */
export interface RabbitMQNode extends RabbitMQCoordinates {
  /** Runs `rabbitmqctl` against the node (half a second or so) and returns its output. */
  ctl(...args: string[]): Promise<string>;
  /** One request to the management API; `path` below `/api/`. */
  management(method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: object): Promise<unknown>;
  /** Adds a user who may do everything in these virtual hosts; default the default one. */
  addUser(name: string, password: string, virtualHosts?: readonly string[]): Promise<void>;
  deleteUser(name: string): Promise<void>;
  /** Adds a virtual host that the default user may use. */
  addVirtualHost(name: string): Promise<void>;
  deleteVirtualHost(name: string): Promise<void>;
  /** Stops a virtual host, as a failure of its message store does: its clients get 320, and others 541. */
  stopVirtualHost(name: string): Promise<void>;
  startVirtualHost(name: string): Promise<void>;
  /** Every client gets `connection.close` 320 with this reason. */
  closeAllConnections(reason: string): Promise<void>;
  /** Publishers get `connection.blocked` "low on memory" at their next publish. */
  blockMemory(): Promise<void>;
  /** Publishers get `connection.blocked` "low on disk" at their next publish. */
  blockDisk(): Promise<void>;
  /** Ends what {@link blockMemory} and {@link blockDisk} began. */
  unblock(): Promise<void>;
  /** SIGKILL: the node is gone at once. Its data stays, but for what it had not written to disk in the last seconds. */
  kill(): Promise<void>;
  /** SIGSTOP: the node goes on holding its connections and answers nothing. */
  pause(): void;
  /** SIGCONT, after {@link pause}. */
  resume(): void;
  /**
   * Shuts the node down in order, when it is up, and boots it again on the same ports with its data. RabbitMQ 3.10 takes
   * five seconds to shut down; after {@link kill} it does not have to.
   */
  restart(): Promise<void>;
  /** Stops RabbitMQ within its node and starts it again: clients get 320. Quicker than {@link restart}. */
  restartApplication(): Promise<void>;
  /** Ends the node for good and removes everything it left. Again: does nothing. */
  stop(): Promise<void>;
}

/** Takes hold of a broker that another process started. */
export function attachRabbitMQ(coordinates: RabbitMQCoordinates): RabbitMQNode {
  const node = () => descriptionOf(coordinates);
  const ctl = async (...args: string[]) => runCtl(node(), args);
  return {
    ...coordinates,
    ctl,
    management: (method, path, body) => callManagement(coordinates, method, path, body),
    addUser: (name, password, virtualHosts = [coordinates.virtualHost]) =>
      putUser(coordinates, name, password, virtualHosts),
    deleteUser: async (name) => {
      await callManagement(coordinates, "DELETE", `users/${encodeURIComponent(name)}`);
    },
    addVirtualHost: (name) => putVirtualHost(coordinates, name),
    deleteVirtualHost: async (name) => {
      await callManagement(coordinates, "DELETE", `vhosts/${encodeURIComponent(name)}`);
    },
    stopVirtualHost: async (name) => {
      const supervisor = `rabbit_vhost_sup_sup, element(4, hd(ets:lookup(rabbit_vhost_sup_sup, <<"${name}">>)))`;
      await ctl("eval", `ok = supervisor:terminate_child(${supervisor}).`);
    },
    startVirtualHost: async (name) => {
      await ctl("restart_vhost", "--vhost", name);
    },
    closeAllConnections: async (reason) => {
      await ctl("close_all_connections", reason);
    },
    blockMemory: async () => {
      await ctl("set_vm_memory_high_watermark", "0.0000001");
    },
    blockDisk: async () => {
      await ctl("set_disk_free_limit", "500TB");
    },
    unblock: async () => {
      // At once: rabbitmqctl takes seconds to start on a busy machine.
      const memory = `vm_memory_monitor:set_vm_memory_high_watermark({absolute, "${memoryLimit}"})`;
      await ctl("eval", `${memory}, ok = rabbit_disk_monitor:set_disk_free_limit("${diskLimit}").`);
    },
    kill: () => end(node(), "SIGKILL"),
    pause: () => signalRunning(node(), "SIGSTOP"),
    resume: () => signalRunning(node(), "SIGCONT"),
    restart: async () => {
      signalServer(node(), "SIGCONT"); // a paused node would never see the next one
      await end(node(), "SIGTERM");
      await bootAndRemember(node());
    },
    restartApplication: async () => {
      await ctl("stop_app");
      await ctl("start_app");
    },
    stop: async () => {
      if (coordinates.folder === undefined) throw notOurs();
      await removeNode(coordinates.folder);
    },
  };
}

const groupFile = "server.group";

/** Boots the node, and leaves a note in its folder that lets other processes signal it. */
export async function bootAndRemember(node: NodeDescription): Promise<void> {
  const group = await boot(node);
  writeFileSync(path.join(node.coordinates.folder, groupFile), String(group));
}

function descriptionOf(coordinates: RabbitMQCoordinates): NodeDescription {
  if (coordinates.folder === undefined) throw notOurs();
  const node = readDescription(coordinates.folder);
  if (node === undefined) throw new RabbitMQFailedError(`the node in ${coordinates.folder} was stopped`);
  return node;
}

function notOurs(): RabbitMQUnavailableError {
  return new RabbitMQUnavailableError("this needs a node that the tests started themselves: unset AMQP_URL");
}

async function runCtl(node: NodeDescription, args: readonly string[]): Promise<string> {
  const [file, ...rest] = commandOf(node.installation, "rabbitmqctl", ["-q", "-n", node.nodeName, ...args]);
  try {
    return await runOrThrow(file, rest, { cwd: "/", env: environmentOf(node) });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new RabbitMQFailedError(`rabbitmqctl ${args[0]} failed: ${cause.message}`, { cause });
  }
}

/** Signals the server's process group. False when the server is not running. */
function signalServer(node: NodeDescription, name: NodeJS.Signals): boolean {
  const { folder } = node.coordinates;
  const group = Number(readFileSync(path.join(folder, groupFile), "utf8"));
  // By now the number may be that of somebody else's process.
  return processesOf(folder).includes(group) && signal(-group, name);
}

function signalRunning(node: NodeDescription, name: NodeJS.Signals): void {
  if (!signalServer(node, name)) throw new RabbitMQFailedError(`RabbitMQ ${node.nodeName} is not running`);
}

/** Signals the server, when it runs, and waits until nothing but epmd is left. */
async function end(node: NodeDescription, name: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (!signalServer(node, name)) return;
  await poll(() => (processesOf(node.coordinates.folder).every(isEpmd) ? true : undefined), {
    within: shutdownWithin,
    late: () => new RabbitMQFailedError(`RabbitMQ ${node.nodeName} goes on after ${name}`),
  });
}

function isEpmd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "epmd";
  } catch {
    return true; // gone since it was listed
  }
}
