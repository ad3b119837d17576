/** Booting a node from its folder, and telling when it is there. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, globSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { RabbitMQFailedError } from "./errors.ts";
import { environmentOf, type NodeDescription } from "./folder.ts";
import { commandOf } from "./installation.ts";
import { callManagement } from "./management.ts";
import { poll } from "./poll.ts";
import { probeBroker, probePort } from "./probe.ts";

const bootWithin = 90_000;
const shownLogLines = 30;

/**
 * Starts the node and waits until clients are served, by AMQP, by TLS and by the management API. The node lives on when
 * this process ends.
 *
 * @returns the id of its process group.
 * @throws RabbitMQFailedError with the end of its log, when it does not come up.
 */
export async function boot(node: NodeDescription): Promise<number> {
  await startEpmd(node);
  const server = spawnDetached(node, "rabbitmq-server", []);
  let end: string | undefined;
  server.once("error", (error) => {
    end = `RabbitMQ could not be started: ${error.message}`;
  });
  server.once("exit", () => {
    end ??= "RabbitMQ ended while booting";
  });
  await poll(
    async () => {
      if (end !== undefined) throw failure(node, end);
      return (await isReady(node)) ? true : undefined;
    },
    { within: bootWithin, every: 50, late: () => failure(node, `RabbitMQ did not boot within ${bootWithin / 1000} s`) },
  );
  return server.pid as number;
}

/** Starts the daemon by which nodes find one another, where none listens at the node's port. */
export async function startEpmd(node: NodeDescription): Promise<void> {
  const listens = (): Promise<boolean> => probePort("127.0.0.1", node.epmdPort);
  if (await listens()) return;
  // In the foreground: Erlang would start one as a daemon that nobody ends.
  spawnDetached(node, "epmd", ["-port", String(node.epmdPort)]).once("error", () => {}); // the wait below tells
  await poll(async () => ((await listens()) ? true : undefined), {
    within: bootWithin,
    late: () => failure(node, "epmd did not start"),
  });
}

async function isReady({ coordinates }: NodeDescription): Promise<boolean> {
  if ((await probeBroker(coordinates.host, coordinates.port)) === undefined) return false;
  if (coordinates.tlsPort !== undefined && !(await probePort(coordinates.host, coordinates.tlsPort))) return false;
  return callManagement(coordinates, "GET", "overview").then(
    () => true,
    () => false,
  );
}

/** In a process group and session of its own, with its output in the folder. */
function spawnDetached(node: NodeDescription, program: string, args: readonly string[]): ChildProcess {
  const log = openSync(path.join(node.coordinates.folder, "log", `${program}.output`), "a");
  const [file, ...rest] = commandOf(node.installation, program, args);
  const child = spawn(file, rest, {
    cwd: "/",
    detached: true,
    env: environmentOf(node),
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  return child;
}

function failure(node: NodeDescription, problem: string): RabbitMQFailedError {
  const logs = globSync(path.join(node.coordinates.folder, "log", "*")).sort();
  const texts = logs.map((file) => readFileSync(file, "utf8").trimEnd().split("\n").slice(-shownLogLines));
  const shown = logs.map((file, index) => [`--- ${path.basename(file)}`, ...(texts[index] ?? [])].join("\n"));
  return new RabbitMQFailedError([`${problem} (${node.coordinates.version})`, ...shown].join("\n"));
}
