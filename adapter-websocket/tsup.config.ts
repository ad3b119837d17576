import { defineConfig } from "tsup";
import { packageBuild } from "../tools/tsup.ts";

const demo = "demo";

export default defineConfig([
  // The page is built at the same time, in the same folder.
  { ...packageBuild(), clean: [`!${demo}/**`] },
  {
    // The program of the relay's demo page: one file for browsers.
    entry: { page: "src/demo/page.ts" },
    outDir: `dist/${demo}`,
    tsconfig: "tsconfig.json",
    format: "esm",
    target: "es2022",
    platform: "browser",
    noExternal: [/./],
    minify: true,
    clean: true,
    esbuildOptions(options) {
      options.conditions = ["@leveret/source"];
    },
  },
]);
