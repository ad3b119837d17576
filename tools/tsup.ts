/** How every package is built: ECMAScript modules with declarations, and one copy of each class for all its entries. */

/**
 * Options for tsup.
 *
 * @param entries by name of the output: `{ index: "src/index.ts" }` for `dist/index.js`.
 * @param tsconfig the one under which all entries type-check.
 */
export function packageBuild(entries: Record<string, string>, tsconfig = "tsconfig.json") {
  return {
    entry: entries,
    tsconfig,
    format: "esm" as const,
    target: "node20",
    platform: "neutral" as const,
    // Shared code goes into shared chunks: an error thrown by one entry is an instance of the class of another.
    splitting: true,
    treeshake: true,
    sourcemap: true,
    dts: true,
    clean: true,
    external: [/^node:/],
  };
}
