/** Running other programs, for the tools of the repository. */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What is running. None of it outlives this process. */
const children = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of children) child.kill("SIGTERM");
});

/** The folder of the repository, without a slash at the end. */
export const repositoryRoot: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

export interface RunOptions {
  /** Default: the repository. */
  readonly cwd?: string;
  /** Variables on top of this process's own; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What to write to the program's standard input; default nothing. */
  readonly input?: string;
  /** Also show the output as it comes; default false. */
  readonly show?: boolean;
  /** The program is killed after so many milliseconds; default never. */
  readonly timeout?: number;
}

export interface RunResult {
  /** The exit code; 128 when a signal ended the program. */
  readonly code: number;
  /** Standard output. */
  readonly stdout: string;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/** The program could not be started, or {@link runOrThrow} saw it fail. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: number | undefined;

  constructor(message: string, options: { code?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = options.code;
  }
}

/**
 * Runs a program to its end, without a shell.
 *
 * @throws CommandError when it cannot be started. An exit code other than 0 is a result, not an error.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const spawnOptions: SpawnOptions = {
    cwd: options.cwd ?? repositoryRoot,
    env: { ...process.env, ...options.env },
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...(options.timeout === undefined ? {} : { timeout: options.timeout, killSignal: "SIGKILL" as const }),
  };
  const child = spawn(command, args, spawnOptions);
  children.add(child);
  child.once("close", () => children.delete(child));
  const stdout: Buffer[] = [];
  const both: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout.push(chunk);
    both.push(chunk);
    if (options.show) process.stdout.write(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    both.push(chunk);
    if (options.show) process.stderr.write(chunk);
  });
  child.stdin?.end(options.input);
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new CommandError(`${command} could not be started: ${cause.message}`, { cause })),
    );
    child.once("close", (exitCode) => resolve(exitCode ?? 128));
  });
  return { code, stdout: Buffer.concat(stdout).toString(), output: Buffer.concat(both).toString() };
}

/**
 * Runs a program that must succeed, and returns its standard output.
 *
 * @throws CommandError when it cannot be started or exits with a code other than 0; the message ends in its output.
 */
export async function runOrThrow(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.code === 0) return result.stdout;
  const output = result.output.trim();
  throw new CommandError(`${command} ${args.join(" ")} exited with ${result.code}${output && `:\n${output}`}`, {
    code: result.code,
  });
}
