/** How every package is built: ECMAScript modules with declarations, and one copy of each class for all its entries. */

import { readFileSync } from "node:fs";

interface Manifest {
  readonly exports: Readonly<Record<string, { readonly "@leveret/source": string; readonly default: string }>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** The entries of the package in the current folder, as its manifest names them: `{ index: "src/index.ts" }`. */
function entriesOf({ exports, bin = {} }: Manifest): Record<string, string> {
  const outputs = [...Object.values(exports).map((entry) => entry.default), ...Object.values(bin)];
  const names = outputs.map((file) => file.replace(/^\.\/dist\/|\.js$/g, ""));
  return Object.fromEntries(names.map((name) => [name, `src/${name}.ts`]));
}

/**
 * Options for tsup, which is run in the folder of the package.
 *
 * @param tsconfig one under which all entries type-check.
 * @param programs files that are loaded by their place, such as workers, by the names of their outputs.
 */
export function packageBuild(tsconfig = "tsconfig.build.json", programs: Readonly<Record<string, string>> = {}) {
  return {
    entry: { ...entriesOf(JSON.parse(readFileSync("package.json", "utf8")) as Manifest), ...programs },
    tsconfig,
    format: "esm" as const,
    target: "node20",
    platform: "neutral" as const,
    // Shared code goes into shared chunks: an error thrown by one entry is an instance of the class of another.
    splitting: true,
    treeshake: true,
    sourcemap: true,
    // For `Symbol.asyncDispose`, which a project's own libraries may not have.
    dts: { banner: '/// <reference lib="esnext.disposable" />' },
    clean: true,
    external: [/^node:/],
    // Deno knows Node's modules by their full names only.
    removeNodeProtocol: false,
  };
}
