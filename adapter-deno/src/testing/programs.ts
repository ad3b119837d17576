/** Programs that tests run in a Deno of their own. */

import { fileURLToPath } from "node:url";

/** What a program printed, and how it ended. */
export interface ProgramResult {
  readonly output: string;
  readonly code: number;
}

/**
 * Runs a program to its end.
 *
 * @param flags Its permissions, exactly: `node:child_process` would add to them.
 * @param file In the folder of this file.
 * @param signal Ends the program.
 */
export async function runProgram(
  flags: readonly string[],
  file: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<ProgramResult> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--conditions=@leveret/source", ...flags, program, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal,
  });
  const { code, stdout } = await command.output();
  return { output: new TextDecoder().decode(stdout).trim(), code };
}
