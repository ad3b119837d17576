/** Vitest's global setup of the projects whose tests start worker threads in Node: the threads have nothing to strip. */

import { globSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { fillCompileCache } from "./compile-cache.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What worker threads are started with, and the programs that start them in processes of their own. */
const threadPrograms = [
  "adapter-node/src/blocking/worker.ts",
  "conformance/src/testing/burn-worker.ts",
  "conformance/src/testing/call-from-another-thread.ts",
  ...globSync("docs/examples/{,workers/}*.ts", { cwd: root }),
].map((name) => path.join(root, name));

export function setup(): Promise<void> {
  return fillCompileCache(threadPrograms);
}
