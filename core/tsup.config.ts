import { defineConfig } from "tsup";
import { packageBuild } from "../tools/tsup.ts";

export default defineConfig(
  packageBuild({ index: "src/index.ts", "wire/index": "src/wire/index.ts", "client/index": "src/client/index.ts" }),
);
