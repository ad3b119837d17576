/**
 * One project per package with unit tests, and one for the repository's tools. `io-contract` holds adapters to the
 * contract of their streams, `conformance` is the suite against a real RabbitMQ, `conformance-embedded` that against the
 * embedded broker, `differential` compares the two, and `rabbitmq` tests what starts a RabbitMQ.
 * Packages are resolved to their sources (condition `@leveret/source`): nothing has to be built first.
 */
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { compileCache } from "./tools/compile-cache.ts";

const sourceCondition = "@leveret/source";
const conditions = [sourceCondition, "module", "node", "development|production"];
const runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

const oneMinute = 60_000;
const halfAMinute = 30_000;

function project(
  name: string,
  include: readonly string[],
  more: { globalSetup?: string[]; fileParallelism?: boolean } = {},
): TestProjectConfiguration {
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: {
      name,
      include: [...include],
      environment: "node",
      testTimeout: oneMinute,
      hookTimeout: oneMinute,
      // Vitest's own second is too short for a condition to hold on a machine that is busy.
      expect: { poll: { timeout: halfAMinute } },
      // What a test starts with `process.execPath` (a worker thread, a child) resolves packages as the test does.
      ...(runtime === "node"
        ? { env: { NODE_OPTIONS: `--conditions=${sourceCondition}`, NODE_COMPILE_CACHE: compileCache } }
        : {}),
      ...more,
    },
  };
}

/** The adapters of Deno and Bun are tested inside Deno and Bun; everything else can run anywhere. */
const adapters: Record<typeof runtime, readonly TestProjectConfiguration[]> = {
  node: [
    project("node", ["adapter-node/src/**/*.test.ts"]),
    project("websocket", ["adapter-websocket/src/**/*.test.ts"]),
  ],
  deno: [project("deno", ["adapter-deno/src/**/*.test.ts"])],
  bun: [project("bun", ["adapter-bun/src/**/*.test.ts"])],
};

const runners = "conformance/src/runners";

const threads = runtime === "node" ? ["./tools/compile-cache-setup.ts"] : [];

/** All files share a broker that some of them pause, block and kill. */
const sharedBroker = { globalSetup: ["./tools/rabbitmq/global-setup.ts", ...threads], fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      project("core", ["core/src/**/*.test.ts"]),
      ...adapters[runtime],
      project("broker", ["conformance/src/!(runners)/**/*.test.ts"]),
      project("tools", ["tools/**/!(*.broker).test.ts", "bench/**/*.test.ts"]),
      project("rabbitmq", ["tools/**/*.broker.test.ts"], { fileParallelism: false }),
      // Runners are named after their runtime; each sees only its own.
      project("io-contract", [`${runners}/io-contract!(*.chromium).${runtime}.test.ts`]),
      project("io-contract-chromium", [`${runners}/io-contract.chromium.${runtime}.test.ts`]),
      project(
        "conformance",
        [`${runners}/!(io-contract*|embedded*|broker-*|*.chromium).${runtime}.test.ts`],
        sharedBroker,
      ),
      project("differential", [`${runners}/broker-differential.${runtime}.test.ts`], sharedBroker),
      project("conformance-embedded", [`${runners}/embedded!(*.chromium).${runtime}.test.ts`]),
      project(
        "conformance-chromium",
        [`${runners}/!(io-contract*|embedded*).chromium.${runtime}.test.ts`],
        sharedBroker,
      ),
      project("conformance-embedded-chromium", [`${runners}/embedded*.chromium.${runtime}.test.ts`]),
    ],
  },
});
