/** How large the library is in a page: bundled as an application would bundle it, minified, and compressed with gzip. */

import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { repositoryRoot } from "../lib/process.ts";

/** What a page imports, and the most that it may cost, in kB (1000 bytes). */
export interface Budget {
  readonly name: string;
  readonly program: string;
  readonly limit: number;
}

/**
 * Ceilings just above what is there, so that growth is noticed and decided on; see
 * docs/decisions/0010-size-in-a-page.md for what is large, and what was aimed at.
 */
export const budgets: readonly Budget[] = [
  {
    name: "engine",
    program: 'import { ConnectionEngine } from "@leveret/core"; console.log(ConnectionEngine);',
    limit: 22,
  },
  {
    name: "engine, client without recovery, and WebSocket adapter",
    program: 'import { connectOnce } from "@leveret/websocket"; console.log(connectOnce);',
    limit: 50,
  },
  {
    name: "engine, client with recovery, and WebSocket adapter",
    program: 'import { connect } from "@leveret/websocket"; console.log(connect);',
    limit: 58.6,
  },
];

/** The size of a program and of everything that it takes, in kB. */
export async function sizeInPage(program: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: repositoryRoot },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["@leveret/source"],
    logLevel: "silent",
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length / 1000;
}
