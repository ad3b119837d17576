/**
 * The packages as their users get them: packed, unpacked into a `node_modules` of their own, and then imported, required
 * and compiled against.
 */

import { globSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { repositoryRoot, run, runOrThrow } from "../lib/process.ts";
import type { Package } from "./workspace.ts";

/** The Nodes of the test matrix; packages must load in all. */
export const nodes: readonly string[] = [
  ...globSync("tools/node*/node_modules/.bin/node", { cwd: repositoryRoot }).sort(),
  "node_modules/.bin/node",
].map((file) => path.join(repositoryRoot, file));

/** The TypeScripts that the declarations are compiled with: the one in use, and the oldest that they are promised to. */
const compilers: readonly string[] = ["node_modules/.bin/tsc", "tools/typescript52/node_modules/.bin/tsc"].map((file) =>
  path.join(repositoryRoot, file),
);

/** Unpacks tarballs into `folder/node_modules`, next to what they need from elsewhere. */
export async function install(
  packages: readonly Package[],
  tarballs: readonly string[],
  folder: string,
): Promise<void> {
  for (const [index, { name, foreignDependencies, folder: source }] of packages.entries()) {
    const target = path.join(folder, "node_modules", name);
    await mkdir(target, { recursive: true });
    await runOrThrow("tar", ["-xzf", tarballs[index] as string, "-C", target, "--strip-components=1"]);
    for (const dependency of foreignDependencies) await link(path.join(source, "node_modules"), dependency, folder);
  }
  await link(path.join(repositoryRoot, "node_modules"), "@types/node", folder);
  const dependencies = Object.fromEntries(packages.map(({ name, version }) => [name, version]));
  await writeFile(path.join(folder, "package.json"), JSON.stringify({ type: "module", dependencies }));
}

async function link(from: string, name: string, folder: string): Promise<void> {
  const target = path.join(folder, "node_modules", name);
  await mkdir(path.dirname(target), { recursive: true });
  await symlink(path.join(from, name), target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

/** Imports and requires every entry: both give the same things, and a class has one copy, whatever entry it is taken from. */
const loader = `
  import { createRequire } from "node:module";
  const require = createRequire(import.meta.url);
  const classes = new Map();
  for (const entry of process.argv.slice(2)) {
    const imported = await import(entry);
    const required = require(entry);
    if (Object.keys(imported).length === 0) throw new Error(entry + " exports nothing");
    for (const [name, value] of Object.entries(imported)) {
      if (required[name] !== value) throw new Error(entry + ": require() gives another " + name);
      if (typeof value !== "function" || !/^class/.test(Function.prototype.toString.call(value))) continue;
      if ((classes.get(name) ?? value) !== value) throw new Error(entry + " has a " + name + " of its own");
      classes.set(name, value);
    }
  }`;

/** Imports one entry, with nothing loaded before it. */
const lonelyLoader = `
  const entry = process.argv[2];
  if (Object.keys(await import(entry)).length === 0) throw new Error(entry + " exports nothing");`;

/** What a server for Node is made of reads the environment as soon as it is loaded. */
const readsEnvironment = "@leveret/websocket/relay";

/** What loads a single entry. In Deno without a permission: what needs one asks for it when it is used. */
function lonelyLoaders(entry: string): readonly (readonly [string, ...string[]])[] {
  const permissions = entry === readsEnvironment ? ["--allow-env", "--allow-sys"] : [];
  return [
    [path.join(repositoryRoot, "node_modules/deno/deno"), "run", "--no-prompt", ...permissions],
    [path.join(repositoryRoot, "node_modules/.bin/bun"), "run"],
  ];
}

/** @returns what is wrong; empty when all entries load together in every Node, and one by one in Deno and in Bun. */
export async function checkLoading(packages: readonly Package[], folder: string): Promise<string[]> {
  const file = path.join(folder, "load.mjs");
  await writeFile(file, loader);
  const lonely = path.join(folder, "load-one.mjs");
  await writeFile(lonely, lonelyLoader);
  const problems: string[] = [];
  for (const entry of packages.flatMap(({ entries }) => entries)) {
    for (const [program, ...args] of lonelyLoaders(entry)) {
      const { code, output } = await run(program, [...args, lonely, entry], { cwd: folder, env: { NODE_OPTIONS: "" } });
      if (code !== 0) problems.push(`${entry} does not load in ${path.basename(program)}:\n${output}`);
    }
  }
  for (const node of nodes) {
    const { code, output } = await run(node, [file, ...packages.flatMap(({ entries }) => entries)], { cwd: folder });
    if (code !== 0) problems.push(`the packages do not load in ${path.relative(repositoryRoot, node)}:\n${output}`);
  }
  return problems;
}

/**
 * Projects that the packages are compiled in, with their declarations: one of a server, and one of a page, which knows
 * nothing of Node, nor of anything newer than what it says.
 */
const projects: readonly { readonly name: string; readonly settings: object; takes(entry: string): boolean }[] = [
  {
    name: "a server",
    settings: { lib: ["ES2022"], types: ["node"], module: "NodeNext" },
    takes: () => true,
  },
  {
    name: "a page",
    settings: { lib: ["ES2022", "DOM"], types: [], module: "ESNext", moduleResolution: "Bundler" },
    takes: (entry) => /^@leveret\/(?:core(?:\/wire|\/client|\/threads)?|websocket|conformance\/broker)$/.test(entry),
  },
];

/** Compiles programs that use every entry, with the declarations checked too, by each TypeScript. */
export async function checkTypes(packages: readonly Package[], folder: string): Promise<string[]> {
  const entries = packages.flatMap((one) => one.entries);
  const problems: string[] = [];
  for (const { name, settings, takes } of projects) {
    const imports = entries.filter(takes).map((entry, i) => `export * as e${i} from "${entry}";\n`);
    await writeFile(path.join(folder, "use.ts"), `export {};\n${imports.join("")}`);
    const compilerOptions = { ...strictest, ...settings };
    await writeFile(path.join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
    for (const tsc of compilers) {
      const { code, output } = await run(tsc, ["--pretty", "false", "-p", folder], { cwd: folder });
      const where = path.relative(repositoryRoot, tsc);
      if (code !== 0) problems.push(`the declarations do not compile for ${name} with ${where}:\n${output}`);
    }
  }
  return problems;
}

const strictest = {
  target: "ES2022",
  strict: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  noEmit: true,
};
