import { defineConfig } from "tsup";
import { packageBuild } from "../tools/tsup.ts";

export default defineConfig(
  packageBuild(
    { index: "src/index.ts", "relay/index": "src/relay/index.ts", "relay/cli": "src/relay/cli.ts" },
    "tsconfig.build.json",
  ),
);
