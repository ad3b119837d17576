/**
 * RabbitMQ nodes by hand:
 *
 *     node tools/rabbitmq/cli.ts start [RELEASE]              a node that stays; prints how to reach it
 *     node tools/rabbitmq/cli.ts run [RELEASE] -- COMMAND...  a node for as long as a command runs
 *     node tools/rabbitmq/cli.ts list                         the nodes that are there
 *     node tools/rabbitmq/cli.ts ctl FOLDER ARGS...           rabbitmqctl
 *     node tools/rabbitmq/cli.ts stop [FOLDER...]             ends nodes, by default that of `RABBITMQ_NODE`
 *     node tools/rabbitmq/cli.ts stop --all                   ends all that anybody started here by `start`
 *
 * RELEASE is `system` (default), or a version such as `4` or `3.10`. A node is known by its folder. Commands see
 * `RABBITMQ_NODE`, which the test projects and `npm test` take up, `AMQP_PORT`, `AMQPS_PORT` and `RABBITMQ_CA_FILE`.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { RabbitMQFailedError, RabbitMQUnavailableError } from "./errors.ts";
import { listNodes, readDescription, removeNode } from "./folder.ts";
import { attachRabbitMQ, type RabbitMQNode } from "./node.ts";
import { startRabbitMQ } from "./start.ts";

const usage =
  "usage: cli.ts start [RELEASE] | run [RELEASE] -- COMMAND... | list | ctl FOLDER ARGS... | stop [FOLDER...|--all]";

function coordinatesOf(folder: string | undefined) {
  const description = folder === undefined ? undefined : readDescription(folder);
  if (description === undefined) throw new RabbitMQFailedError(`there is no node in ${folder ?? "no folder"}`);
  return description.coordinates;
}

function variablesOf(node: RabbitMQNode): Record<string, string> {
  return {
    RABBITMQ_NODE: node.folder ?? "",
    AMQP_PORT: String(node.port),
    AMQPS_PORT: String(node.tlsPort ?? ""),
    RABBITMQ_CA_FILE: node.caFile ?? "",
  };
}

async function start(release?: string): Promise<number> {
  const node = await startRabbitMQ({ ...(release === undefined ? {} : { release }), detached: true });
  console.error(`RabbitMQ ${node.version} at ${node.url}, management at ${node.managementUrl ?? "(none)"}`);
  for (const [name, value] of Object.entries(variablesOf(node))) console.log(`export ${name}=${value}`);
  return 0;
}

async function run(args: readonly string[]): Promise<number> {
  const split = args.indexOf("--");
  const [program, ...rest] = args.slice(split + 1);
  if (split < 0 || split > 1 || program === undefined) throw new RabbitMQFailedError(usage);
  const node = await startRabbitMQ(split === 1 ? { release: args[0] as string } : {});
  const child = spawn(program, rest, { stdio: "inherit", env: { ...process.env, ...variablesOf(node) } });
  // The terminal's interrupt reaches the command by itself; this process stays to clean up.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 128;
  } finally {
    if (node.folder !== undefined) await node.stop();
  }
}

async function list(): Promise<number> {
  for (const { coordinates, detached } of await listNodes()) {
    console.log(
      `${coordinates.folder}  RabbitMQ ${coordinates.version}  ${coordinates.url}${detached ? "" : "  (owned)"}`,
    );
  }
  return 0;
}

/** Other checkouts, and other people, have nodes here, too: those are ended by name, or all of them when it is said. */
async function nodesToStop(args: readonly string[]): Promise<readonly string[]> {
  if (args[0] === "--all") {
    return (await listNodes()).filter((node) => node.detached).map((node) => node.coordinates.folder);
  }
  if (args.length > 0) return args;
  const { RABBITMQ_NODE: ours = "" } = process.env;
  if (ours === "") throw new RabbitMQFailedError("RABBITMQ_NODE names no node: name its folder, or say --all");
  return [ours];
}

async function stop(args: readonly string[]): Promise<number> {
  for (const folder of await nodesToStop(args)) {
    await removeNode(coordinatesOf(folder).folder);
    console.log(`ended ${folder}`);
  }
  return 0;
}

async function main([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case "start":
      return start(args[0]);
    case "run":
      return run(args);
    case "list":
      return list();
    case "ctl":
      process.stdout.write(await attachRabbitMQ(coordinatesOf(args[0])).ctl(...args.slice(1)));
      return 0;
    case "stop":
      return stop(args);
    default:
      console.error(usage);
      return 2;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof RabbitMQFailedError || error instanceof RabbitMQUnavailableError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
