/**
 * The layers of the packages, as data: which files make a layer, what they may import, and what they may not do. The
 * first layer whose pattern matches a file is its layer.
 */

import path, { matchesGlob } from "node:path";
import { type Impurity, impuritiesOf, importsOf, parseSource } from "./syntax.ts";

export interface Layer {
  readonly name: string;
  /** Globs, from the root of the repository. */
  readonly files: readonly string[];
  /** What may be imported: globs of files of the repository, and specifiers of packages, where a `*` stands for anything. */
  readonly imports: readonly string[];
  /** What of that may not be imported after all. */
  readonly except?: readonly string[];
  /** What may be imported where only types are meant. */
  readonly typeImports?: readonly string[];
  readonly forbids?: readonly Impurity["what"][];
}

const testFiles = ["**/*.test.ts", "**/*.test-d.ts", "**/testing/**"];
const testTools = ["vitest", "fast-check", "playwright-core", "esbuild", "ws", "node:*"];
/** Other clients, to be told apart from. */
const peers = ["amqplib", "rabbitmq-client", "@cloudamqp/amqp-client"];
const everythingPure: readonly Impurity["what"][] = ["clock", "randomness", "promise", "global object", "evaluation"];
const onlyThroughIoServices: readonly Impurity["what"][] = ["clock", "randomness", "global object", "evaluation"];
const client = "@leveret/core/client";
const blocking = ["@leveret/core/blocking", "@leveret/core/blocking/adapter"];
/** A dynamic import of what is only known when it happens. */
const computed = "(computed)";

export const layers: readonly Layer[] = [
  {
    name: "tests of core",
    files: testFiles.map((files) => `core/src/${files}`),
    imports: ["core/src/**", "@opentelemetry/*", ...testTools],
  },
  { name: "wire", files: ["core/src/wire/**"], imports: ["core/src/wire/**"], forbids: everythingPure },
  {
    name: "engine",
    files: ["core/src/engine/**", "core/src/index.ts"],
    imports: ["core/src/engine/**", "core/src/wire/**"],
    forbids: everythingPure,
  },
  {
    name: "recovery",
    files: ["core/src/recovery/**"],
    imports: ["core/src/recovery/**", "core/src/engine/errors.ts", "core/src/wire/errors.ts"],
    typeImports: ["core/src/wire/**", "core/src/engine/**"],
    forbids: everythingPure,
  },
  {
    name: "client",
    files: ["core/src/client/**"],
    imports: ["core/src/client/**", "core/src/recovery/**", "core/src/engine/**", "core/src/wire/**"],
    forbids: onlyThroughIoServices,
  },
  {
    name: "threads",
    files: ["core/src/threads/**"],
    imports: ["core/src/threads/**", "core/src/client/**", "core/src/engine/**", "core/src/wire/**"],
    forbids: onlyThroughIoServices,
  },
  {
    name: "instrumentation for OpenTelemetry",
    files: ["core/src/otel/**"],
    // It is a guest in the application's telemetry, whose clock is the runtime's.
    imports: ["core/src/otel/**", "core/src/client/**", "@opentelemetry/api"],
    forbids: ["randomness", "evaluation"],
  },
  {
    name: "blocking",
    files: ["core/src/blocking/**"],
    imports: [
      "core/src/blocking/**",
      "core/src/threads/**",
      "core/src/client/**",
      "core/src/engine/**",
      "core/src/wire/**",
    ],
    forbids: onlyThroughIoServices,
  },
  {
    name: "tests of adapters",
    files: testFiles.map((files) => `adapter-*/src/${files}`),
    imports: ["adapter-*/src/**", "tools/rabbitmq/**", "@leveret/*", "playwright-core", "ws", ...testTools],
  },
  {
    name: "adapter for Node",
    files: ["adapter-node/src/**"],
    imports: ["adapter-node/src/**", client, ...blocking, "node:*"],
  },
  {
    name: "blocking for Deno",
    files: ["adapter-deno/src/blocking/**"],
    // Only Node's workers can be listened to by a thread that blocks.
    imports: ["adapter-deno/src/**", client, ...blocking, "node:worker_threads"],
  },
  {
    name: "adapter for Deno",
    files: ["adapter-deno/src/**"],
    imports: ["adapter-deno/src/**", client],
    typeImports: ["node:*"],
  },
  {
    name: "adapter for Bun",
    files: ["adapter-bun/src/**"],
    // Bun has Node's sockets, see docs/decisions/0002-bun-sockets.md.
    imports: ["adapter-bun/src/**", client, ...blocking, "@leveret/node", "@leveret/node/*", "node:*"],
  },
  {
    name: "relay",
    files: ["adapter-websocket/src/relay*", "adapter-websocket/src/relay*/**"],
    // It loads a module that its configuration names.
    imports: ["adapter-websocket/src/**", client, "node:*", "ws", "pino", "prom-client", "valibot", computed],
  },
  {
    name: "adapter for WebSocket",
    files: ["adapter-websocket/src/**"],
    imports: ["adapter-websocket/src/**", client],
    except: ["adapter-websocket/src/relay*", "adapter-websocket/src/relay*/**"],
  },
  {
    name: "runners and tests of conformance",
    files: ["conformance/src/runners/**", ...testFiles.map((files) => `conformance/src/${files}`)],
    imports: [
      "conformance/src/**",
      "docs/examples/custom-loops/**",
      "tools/rabbitmq/**",
      "tools/lib/**",
      "@leveret/*",
      ...peers,
      ...testTools,
    ],
  },
  {
    name: "programs on somebody else's clients",
    files: ["conformance/src/broker/foreign/**"],
    imports: ["conformance/src/broker/**", ...peers, "node:*"],
  },
  {
    name: "conformance in Node",
    files: ["conformance/src/**/node/**"],
    imports: ["conformance/src/**", "@leveret/core", "@leveret/core/*", "@leveret/node", "node:*", "ws"],
    except: ["conformance/src/runners/**"],
  },
  {
    name: "conformance",
    files: ["conformance/src/**"],
    imports: ["conformance/src/**", "@leveret/core", "@leveret/core/*"],
    except: ["conformance/src/runners/**", "conformance/src/**/node/**"],
    forbids: onlyThroughIoServices,
  },
  { name: "examples", files: ["docs/examples/**"], imports: ["docs/examples/**", "@leveret/*", "node:*"] },
];

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/**
 * Holds one file against the rules of its layer.
 *
 * @param file path from the root of the repository, with forward slashes.
 */
export function checkLayer(file: string, text: string): Violation[] {
  const layer = layers.find(({ files }) => files.some((glob) => matchesGlob(file, glob)));
  if (layer === undefined) return [];
  const source = parseSource(file, text);
  const violations: Violation[] = [];
  const report = (start: number, message: string) => violations.push({ file, line: source.lineOf(start), message });

  for (const { specifier, typeOnly, start } of importsOf(source)) {
    const allowed = typeOnly ? [...layer.imports, ...(layer.typeImports ?? [])] : layer.imports;
    const target = specifier.startsWith(".") ? path.posix.join(path.posix.dirname(file), specifier) : specifier;
    const isAllowed = matches(allowed, target) && !matches(layer.except ?? [], target);
    if (!isAllowed) report(start, `${layer.name} may not import ${target}`);
  }
  for (const { what, text: use, start } of impuritiesOf(source)) {
    if (layer.forbids?.includes(what)) report(start, `${layer.name} may not use ${use} (${what})`);
  }
  return violations;
}

function matches(patterns: readonly string[], target: string): boolean {
  return patterns.some((pattern) => {
    const isPackage = pattern.startsWith("@") || !pattern.includes("/");
    if (!isPackage) return matchesGlob(target, pattern);
    return pattern.endsWith("*") ? target.startsWith(pattern.slice(0, -1)) : target === pattern;
  });
}
