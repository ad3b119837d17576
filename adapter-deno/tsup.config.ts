import { defineConfig } from "tsup";
import { packageBuild } from "../tools/tsup.ts";

export default defineConfig(packageBuild(undefined, { "blocking/worker": "src/blocking/worker.ts" }));
