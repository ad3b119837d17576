/** Makes one program of the page's sources, for a checkout that was not built. */

import { build } from "esbuild";

export async function bundlePage(program: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [program],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["@leveret/source"],
  });
  return outputFiles.map(({ text }) => text).join("");
}
