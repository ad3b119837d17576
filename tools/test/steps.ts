/** What `npm test` does, as data. */

export type RuntimeName = "node" | "deno" | "bun";

/** How to run vitest inside a runtime, so that tests see the globals of the real thing. */
export interface Runtime {
  /** Prints the version, somewhere in its output. */
  readonly version: readonly string[];
  readonly vitest: readonly string[];
}

const vitest = "node_modules/vitest/vitest.mjs";
const deno = "node_modules/deno/deno";
const bun = "node_modules/.bin/bun";

export const runtimes: Readonly<Record<RuntimeName, Runtime>> = {
  node: { version: [process.execPath, "--version"], vitest: [process.execPath, vitest, "run"] },
  // Deno has no worker threads that vitest could use, and Bun no forks.
  deno: { version: [deno, "--version"], vitest: [deno, "run", "-A", vitest, "run", "--pool", "forks"] },
  bun: { version: [bun, "--version"], vitest: [bun, "--bun", vitest, "run", "--pool", "threads"] },
};

/** A program that must succeed; one check. */
export interface Gate {
  readonly kind: "gate";
  readonly name: string;
  readonly command: readonly string[];
}

/** Projects of vitest.config.ts, run in one runtime; as many checks as they have tests. */
export interface Suite {
  readonly kind: "suite";
  readonly name: string;
  readonly runtime: RuntimeName;
  readonly projects: readonly string[];
  /** The release of RabbitMQ that the tests talk to. */
  readonly broker?: string;
  /** The release of RabbitMQ that the tests start nodes of. */
  readonly ownBroker?: string;
  /** True: the tests need a Chromium. */
  readonly browser?: boolean;
}

export type Step = Gate | Suite;

const node = process.execPath;

/** In the order in which they start, two at a time. */
export const steps: readonly Step[] = [
  { kind: "gate", name: "types", command: [node, "tools/typecheck.ts"] },
  { kind: "gate", name: "lint", command: ["node_modules/.bin/oxlint", "--type-aware", "--deny-warnings"] },
  { kind: "gate", name: "format", command: ["node_modules/.bin/biome", "format", "."] },
  { kind: "gate", name: "layers", command: [node, "tools/lint/check-layers.ts"] },
  { kind: "gate", name: "bundle", command: [node, "tools/lint/check-bundle.ts"] },
  { kind: "gate", name: "API reference", command: [node, "tools/api-reference.ts", "check"] },
  { kind: "suite", name: "unit tests", runtime: "node", projects: ["core", "node", "websocket", "broker", "tools"] },
  { kind: "suite", name: "unit tests in Deno", runtime: "deno", projects: ["deno"] },
  { kind: "suite", name: "unit tests in Bun", runtime: "bun", projects: ["bun"] },
  { kind: "suite", name: "I/O contract in Node", runtime: "node", projects: ["io-contract"] },
  { kind: "suite", name: "I/O contract in Deno", runtime: "deno", projects: ["io-contract"] },
  { kind: "suite", name: "I/O contract in Bun", runtime: "bun", projects: ["io-contract"] },
  {
    kind: "suite",
    name: "I/O contract in Chromium",
    runtime: "node",
    projects: ["io-contract-chromium"],
    browser: true,
  },
  { kind: "gate", name: "packages", command: [node, "tools/packages.ts", "check"] },
  { kind: "suite", name: "RabbitMQ nodes", runtime: "node", projects: ["rabbitmq"], ownBroker: "4" },
  { kind: "suite", name: "conformance in Node", runtime: "node", projects: ["conformance"], broker: "system" },
  { kind: "suite", name: "conformance in Node", runtime: "node", projects: ["conformance"], broker: "4" },
  { kind: "suite", name: "conformance in Deno", runtime: "deno", projects: ["conformance"], broker: "system" },
  {
    kind: "suite",
    name: "conformance in Chromium",
    runtime: "node",
    projects: ["conformance-chromium"],
    broker: "system",
    browser: true,
  },
  { kind: "suite", name: "conformance in Bun", runtime: "bun", projects: ["conformance"], broker: "4" },
];
