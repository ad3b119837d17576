/**
 * The sources run unbuilt, and Node strips their types with a WebAssembly program, once in every process and in every
 * worker thread. That costs each of them a third of a second, and V8 is not safe with WebAssembly in several threads of a
 * process: now and then it ends the process with `Check failed: jit_page.has_value()` (nodejs/node#64500). What Node
 * keeps in its compile cache it does not strip again.
 */

import { execFile } from "node:child_process";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Where Node keeps what it compiled: one folder for all processes and versions of Node. */
export const compileCache: string = path.join(root, "node_modules/.cache/node-compile");

/** An export that no module has: modules are loaded, and then none is run. */
const missingExport = "nothingIsRun";

/**
 * Has programs, and all that they import, in the compile cache of the Node that runs this.
 *
 * @param programs - Absolute paths of modules. None of them is run.
 */
export async function fillCompileCache(programs: readonly string[], cache = compileCache): Promise<void> {
  const imports = programs.map((program) => `import ${JSON.stringify(pathToFileURL(program).href)};`);
  const code = [...imports, `import { ${missingExport} } from "node:path";`].join("\n");
  const loading = promisify(execFile)(
    process.execPath,
    ["--conditions=@leveret/source", "--input-type=module", "--eval", code],
    { cwd: root, env: { ...process.env, NODE_COMPILE_CACHE: cache, NODE_OPTIONS: "" } },
  );
  const message = await loading.then(
    () => "the modules were run",
    (error: { stderr?: string }) => error.stderr ?? String(error),
  );
  if (!message.includes(missingExport)) throw new Error(`The compile cache could not be filled: ${message}`);
}
