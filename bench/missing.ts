/** Clients of other languages, which are measured where they are installed. */

import path from "node:path";
import { fileURLToPath } from "node:url";
import { CommandError, run } from "../tools/lib/process.ts";
import type { Client } from "./clients.ts";

/** Leaves out what this machine cannot run, with a line for each; compiles what is to be compiled into the folder. */
export async function leaveOut(clients: readonly Client[], compiled: string): Promise<Client[]> {
  const present: Client[] = [];
  for (const client of clients) {
    const problem = await obstacle(client, compiled);
    if (problem === undefined) present.push(client);
    else console.log(`left out: ${client.name}, ${problem}`);
  }
  return present;
}

async function obstacle(client: Client, compiled: string): Promise<string | undefined> {
  if (client.runtime === "python") {
    return (await succeeds("python3", ["-c", "import pika"])) ? undefined : "which is not installed (python3-pika)";
  }
  if (client.runtime !== "c") return undefined;
  const source = fileURLToPath(new URL(`drivers/${client.driver}.c`, import.meta.url));
  const program = path.join(compiled, client.driver);
  const built = await succeeds("cc", ["-O2", "-o", program, source, "-lrabbitmq"]);
  return built ? undefined : "which is not installed (librabbitmq-dev and a C compiler)";
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await run(program, args)).code === 0;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
