/** Clients of other languages, which are measured where they are installed. */

import { mkdir, rename } from "node:fs/promises";
import path from "node:path";
import { CommandError, run, runOrThrow } from "../tools/lib/process.ts";
import { type Client, librabbitmqProgram, librabbitmqSource, python, type RuntimeName } from "./clients.ts";

const preparations: Partial<Record<RuntimeName, () => Promise<string | undefined>>> = {
  python: async () => ((await succeeds(python, ["-c", "import pika"])) ? undefined : "python3-pika"),
  c: compileLibrabbitmq,
};

/** Makes a client ready, and names the package that it wants where that is not installed. */
export async function missingFor({ runtime }: Client): Promise<string | undefined> {
  return preparations[runtime]?.();
}

/** Leaves out what this machine cannot run, with a line for each. */
export async function leaveOut(clients: readonly Client[]): Promise<Client[]> {
  const present: Client[] = [];
  for (const client of clients) {
    const missing = await missingFor(client);
    if (missing === undefined) present.push(client);
    else console.log(`left out: ${client.name}, for which this is not installed: ${missing}`);
  }
  return present;
}

async function compileLibrabbitmq(): Promise<string | undefined> {
  const compiler = "cc";
  if (!(await succeeds(compiler, ["--version"]))) return "gcc";
  const headers = ["rabbitmq-c/amqp.h", "amqp.h"];
  const found = await Promise.all(
    headers.map((header) => succeeds(compiler, ["-E", "-include", header, "-x", "c", "/dev/null"])),
  );
  if (!found.includes(true)) return "librabbitmq-dev";
  await mkdir(path.dirname(librabbitmqProgram), { recursive: true });
  // Another run may be compiling it, or running it.
  const made = `${librabbitmqProgram}.${process.pid}`;
  await runOrThrow(compiler, ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", made, librabbitmqSource, "-lrabbitmq"]);
  await rename(made, librabbitmqProgram);
  return undefined;
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await run(program, args)).code === 0;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
