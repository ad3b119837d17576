/**
 * Tries other people's clients on the embedded broker, as each version of RabbitMQ that it plays:
 *
 *     node --conditions=@leveret/source conformance/src/broker/foreign/run.ts [PROFILE...]
 *
 * pika and rabbitmq-c are tried where they are installed (`apt-get install python3-pika amqp-tools`), and said to be
 * missing where not. The exit code is 1 when a client fails.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Broker } from "../broker.ts";
import { listenBroker } from "../node/listen.ts";
import { type ProfileName, profiles } from "../profile.ts";

interface Program {
  readonly client: string;
  readonly command: readonly [string, ...string[]];
  /** Says by its exit code whether the client is there. */
  readonly probe?: readonly [string, ...string[]];
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Debian's packages are for Debian's Python, which need not be the first on the path. */
const python = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

const programs: readonly Program[] = [
  { client: "amqplib", command: [process.execPath, here("./amqplib.ts")] },
  { client: "rabbitmq-client", command: [process.execPath, here("./rabbitmq-client.ts")] },
  { client: "@cloudamqp/amqp-client", command: [process.execPath, here("./cloudamqp.ts")] },
  { client: "pika", command: [python, here("./with_pika.py")], probe: [python, "-c", "import pika"] },
  { client: "rabbitmq-c", command: [process.execPath, here("./rabbitmq-c.ts")], probe: ["amqp-get", "--help"] },
];

/** The longest that a program may take, in milliseconds. */
const patience = 60_000;

async function run([program, ...args]: readonly [string, ...string[]], url: string) {
  const child = spawn(program, args, {
    env: { ...process.env, AMQP_URL: url },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: patience,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const failed = once(child, "error").then(() => 127);
  const ended = once(child, "close").then(([code]) => (code as number | null) ?? 128);
  const code = await Promise.race([failed, ended]);
  return { code, output };
}

async function tryClients(profile: ProfileName): Promise<boolean> {
  const listening = await listenBroker(new Broker({ profile }), { port: 0 });
  const url = listening.url.replace("://", "://guest:guest@");
  let isGood = true;
  for (const { client, command, probe } of programs) {
    if (probe !== undefined && (await run(probe, url)).code !== 0) {
      process.stdout.write(`${profile}  ${client}: not installed here\n`);
      continue;
    }
    const { code, output } = await run(command, url);
    const passed = output.split("\n").filter((line) => line.startsWith("ok ")).length;
    process.stdout.write(`${profile}  ${client}: ${passed} steps passed${code === 0 ? "" : `, exit code ${code}`}\n`);
    if (code === 0 && passed > 0) continue;
    isGood = false;
    process.stdout.write(`${output.trimEnd()}\n`);
  }
  await listening.close();
  return isGood;
}

async function main(wanted: readonly string[]): Promise<void> {
  const known = Object.keys(profiles) as ProfileName[];
  const chosen = wanted.length === 0 ? known : known.filter((name) => wanted.includes(name));
  for (const profile of chosen) if (!(await tryClients(profile))) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
