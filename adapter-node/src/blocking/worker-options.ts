/** What a worker takes over of the command line of its process. */

/** Options that say which program the process runs. Of the first kind, the next argument is the program's text. */
const programText = new Set(["-e", "--eval", "-p", "--print", "-pe"]);
const programType = "--input-type";

/**
 * The `execArgv` of a worker that runs a file, or `undefined` where it may inherit what the process has.
 *
 * `--input-type`, for the text of `--eval`, is inherited too, and then no worker with a file can start.
 */
export function workerArguments(execArgv: readonly string[]): string[] | undefined {
  if (!execArgv.some((argument) => argument.split("=", 1)[0] === programType)) return undefined;
  return execArgv.filter((argument, index) => {
    const [name = ""] = argument.split("=", 1);
    const previous = execArgv[index - 1] ?? "";
    return name !== programType && !programText.has(name) && previous !== programType && !programText.has(previous);
  });
}
