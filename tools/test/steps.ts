/** What `npm test` does, as data. */

export type RuntimeName = "node" | "node22" | "node26" | "deno" | "bun";

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
  node22: { version: [nodeOf(22), "--version"], vitest: [nodeOf(22), vitest, "run"] },
  node26: { version: [nodeOf(26), "--version"], vitest: [nodeOf(26), vitest, "run"] },
  // Deno has no worker threads that vitest could use, and Bun no forks, nor an environment for what a test's worker loads.
  deno: { version: [deno, "--version"], vitest: [deno, "run", "-A", vitest, "run", "--pool", "forks"] },
  bun: {
    version: [bun, "--version"],
    vitest: [bun, "--bun", "--conditions=@leveret/source", vitest, "run", "--pool", "threads"],
  },
};

/** A Node of the matrix, which the lockfile pins. */
function nodeOf(major: number): string {
  return `tools/node${major}/node_modules/.bin/node`;
}

/** A program that must succeed; one check. */
export interface Gate {
  readonly kind: "gate";
  readonly name: string;
  readonly command: readonly string[];
  /** True: it tries something in a Chromium, where there is one. */
  readonly browser?: boolean;
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

/**
 * In the order in which they start, two at a time. Every runtime runs the whole suite against a real RabbitMQ, the Node
 * that developers use against both releases. What the embedded broker plays does not depend on the runtime of the
 * client: Node tries all of its profiles, the others one.
 */
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
  { kind: "gate", name: "packages", command: [node, "tools/packages.ts", "check"], browser: true },
  conformance("Chromium", "node", "system", { projects: ["conformance-chromium"], browser: true }),
  conformance("Node", "node", "4"),
  ioContract("Node", "node"),
  ioContract("Node 22", "node22"),
  ioContract("Node 26", "node26"),
  ioContract("Deno", "deno"),
  ioContract("Bun", "bun"),
  ioContract("Chromium", "node", { projects: ["io-contract-chromium"], browser: true }),
  conformance("Node", "node", "system"),
  conformance("Node 22", "node22", "4"),
  conformance("Deno", "deno", "system"),
  conformance("Node 26", "node26", "4"),
  { kind: "suite", name: "broker comparison", runtime: "node", projects: ["differential"], broker: "system" },
  conformance("Bun", "bun", "4"),
  { kind: "suite", name: "broker comparison", runtime: "node", projects: ["differential"], broker: "4" },
  embedded("Node", "node"),
  embedded("Deno", "deno"),
  embedded("Bun", "bun"),
  embedded("Chromium", "node", { projects: ["conformance-embedded-chromium"], browser: true }),
  { kind: "suite", name: "RabbitMQ nodes", runtime: "node", projects: ["rabbitmq"], ownBroker: "4" },
];

function conformance(where: string, runtime: RuntimeName, broker: string, more: Partial<Suite> = {}): Suite {
  return { kind: "suite", name: `conformance in ${where}`, runtime, projects: ["conformance"], broker, ...more };
}

function embedded(where: string, runtime: RuntimeName, more: Partial<Suite> = {}): Suite {
  const name = `conformance with the embedded broker in ${where}`;
  return { kind: "suite", name, runtime, projects: ["conformance-embedded"], ...more };
}

function ioContract(where: string, runtime: RuntimeName, more: Partial<Suite> = {}): Suite {
  return { kind: "suite", name: `I/O contract in ${where}`, runtime, projects: ["io-contract"], ...more };
}
