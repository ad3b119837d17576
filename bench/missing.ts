/** Clients of other languages, which are measured where they are installed. */

import { CommandError, run } from "../tools/lib/process.ts";
import { type Client, python } from "./clients.ts";

/** Leaves out what this machine cannot run, with a line for each. */
export async function leaveOut(clients: readonly Client[]): Promise<Client[]> {
  const present: Client[] = [];
  for (const client of clients) {
    if (client.runtime !== "python" || (await hasPika())) present.push(client);
    else console.log(`left out: ${client.name}, which is not installed (python3-pika)`);
  }
  return present;
}

async function hasPika(): Promise<boolean> {
  try {
    return (await run(python, ["-c", "import pika"])).code === 0;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
