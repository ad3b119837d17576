/**
 * The processes of a node. An Erlang node is several: a shell, the virtual machine, its port helpers, epmd, whatever
 * command is being run. All inherit a variable that names the node's folder, so all are found, whoever started them.
 */

import { readdirSync, readFileSync } from "node:fs";
import { RabbitMQFailedError } from "./errors.ts";
import { poll } from "./poll.ts";

/** The variable that marks the processes of a node; its value is the node's folder. */
export const folderVariable = "LEVERET_RABBITMQ_FOLDER";

const endWithin = 10_000;

/** The ids of all living processes of the node in `folder`. */
export function processesOf(folder: string): number[] {
  const mark = `\0${folderVariable}=${folder}\0`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => `\0${environmentOf(pid)}\0`.includes(mark))
    .map(Number);
}

/** Empty for a process that has ended, is a zombie, or belongs to somebody else. */
function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

/** Signals the process, or a group by its negative id. False when there is none. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Kills all processes of the node, and waits until the last is gone. */
export async function endProcessesOf(folder: string): Promise<void> {
  await poll(
    () => {
      const alive = processesOf(folder);
      for (const pid of alive) signal(pid, "SIGKILL");
      return alive.length === 0 ? true : undefined;
    },
    { within: endWithin, late: () => new RabbitMQFailedError(`processes of ${folder} survive SIGKILL`) },
  );
}
