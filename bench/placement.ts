/**
 * Which cores processes run on, where that can be said: with `taskset` of util-linux.
 *
 * Where each operation waits for an answer, client and server never work at the same time. On two cores each wakes the other
 * by an interrupt from core to core, which costs three times what a client does, in time of the kernel that counts for who
 * is waking; on one core it costs a switch. By itself the scheduler chooses for each process anew: the same client took
 * 13 us in one, and 39 in the next.
 */

import { CommandError, run } from "../tools/lib/process.ts";
import type { Command } from "./clients.ts";

/** Lists of cores, as `taskset` writes them. */
export interface Cores {
  /** What this process may use. */
  readonly all: string;
  /** The first of those. */
  readonly one: string;
}

/**
 * The cores that a process may use.
 *
 * @returns undefined where nobody can say: without `taskset`, as on macOS and Windows.
 */
export async function coresOf(process: number): Promise<Cores | undefined> {
  try {
    const { code, stdout } = await run("taskset", ["--cpu-list", "--pid", String(process)]);
    const all = stdout.trim().split(": ").at(-1);
    return code === 0 && all !== undefined ? { all, one: all.split(/[,-]/, 1)[0]! } : undefined;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** Moves all threads of processes that run. */
export async function move(processes: readonly number[], cores: string): Promise<void> {
  const moved = await Promise.all(
    processes.map((each) => run("taskset", ["--all-tasks", "--cpu-list", "--pid", cores, String(each)])),
  );
  for (const { code, output } of moved) if (code !== 0) throw new Error(`could not be moved to ${cores}: ${output}`);
}

/** The same program, from its beginning on these cores. */
export function placed({ program, args }: Command, cores: string): Command {
  return { program: "taskset", args: ["--cpu-list", cores, program, ...args] };
}
