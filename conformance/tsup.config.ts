import { defineConfig } from "tsup";
import { packageBuild } from "../tools/tsup.ts";

export default defineConfig(
  packageBuild({ "cases/index": "src/cases/index.ts", "broker/index": "src/broker/index.ts" }),
);
