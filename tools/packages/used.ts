/**
 * The packages in use: the first program of the README, with the import changed for each runtime and nothing else, runs
 * in an empty project on the packed packages, against the packed broker; in a page, through the packed relay.
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { build, transform } from "esbuild";
import { chromium } from "playwright-core";
import { ensureChromium } from "../chromium.ts";
import { repositoryRoot, run } from "../lib/process.ts";
import { UnavailableError } from "../lib/unavailable.ts";
import { nodes } from "./installed.ts";

const prints = "Hello, world";
const within = 30_000;
const isCI = (process.env.CI ?? "") !== "" && process.env.CI !== "false";

/** A program, and how to run it. */
interface Use {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly command: readonly [string, ...string[]];
}

/** @returns what is wrong; empty when the program does its work everywhere. */
export async function checkUse(folder: string): Promise<string[]> {
  const servers: Command[] = [];
  try {
    const broker = Command.start(folder, "@leveret/conformance", "leveret-broker", ["--port", "0"]);
    servers.push(broker);
    const url = await broker.says(/amqp:\/\/\S+/);
    const problems: string[] = [];
    for (const use of await uses(new URL(url))) problems.push(...(await tryUse(use, folder, url)));

    const settings = ["--upstream", url, "--listen", "127.0.0.1:0", "--origin", "*"];
    const relay = Command.start(folder, "@leveret/websocket", "leveret-relay", settings);
    servers.push(relay);
    const port = /\d+/.exec(await relay.says(/"port":\d+/))?.[0];
    problems.push(...(await tryPage(folder, `ws://127.0.0.1:${port}/`)));
    return problems;
  } finally {
    for (const server of servers) server.stop();
  }
}

async function uses({ hostname, port }: URL): Promise<Use[]> {
  const asJavaScript = async (text: string) => (await transform(text, { loader: "ts", format: "esm" })).code;
  const imports = await asJavaScript(programFor("@leveret/node"));
  const bun = path.join(repositoryRoot, "node_modules/.bin/bun");
  const deno = path.join(repositoryRoot, "node_modules/deno/deno");
  return [
    ...nodes.flatMap((node): Use[] => [
      { name: `import in ${nameOf(node)}`, file: "first.mjs", text: imports, command: [node] },
      { name: `require in ${nameOf(node)}`, file: "first.cjs", text: asCommonJs(imports), command: [node] },
    ]),
    {
      name: "Deno, with no more permissions than it needs",
      file: "first.deno.ts",
      text: programFor("@leveret/deno"),
      command: [deno, "run", "--no-prompt", `--allow-net=${hostname}:${port}`, "--allow-env=AMQP_URL"],
    },
    { name: "Bun", file: "first.bun.ts", text: programFor("@leveret/bun"), command: [bun] },
  ];
}

/** The program of the README, on another package. */
function programFor(name: string): string {
  const text = readFileSync(path.join(repositoryRoot, "docs/examples/first-program.ts"), "utf8");
  if (!text.includes('from "@leveret/node"')) throw new Error("the first program does not import @leveret/node");
  return text.replace('from "@leveret/node"', `from "${name}"`);
}

/** What somebody writes who has no modules: the import is a `require`, and a function waits. */
function asCommonJs(text: string): string {
  const [, names, name, rest] = /^import \{(.*?)\} from "(.*?)";\n(.*)$/s.exec(text) ?? [];
  if (rest === undefined) throw new Error("the first program does not begin with its import");
  return `const {${names}} = require("${name}");\nvoid (async () => {\n${rest}\n})();\n`;
}

async function tryUse({ name, file, text, command }: Use, folder: string, url: string): Promise<string[]> {
  await writeFile(path.join(folder, file), text);
  const [program, ...args] = command;
  const env = { AMQP_URL: url, NODE_OPTIONS: "" };
  const { code, output } = await run(program, [...args, file], { cwd: folder, env, timeout: within });
  return code === 0 && output.trim() === prints
    ? []
    : [`the first program fails: ${name} (exit code ${code}):\n${output}`];
}

/** Bundles the program as an application would, and opens it in a Chromium. */
async function tryPage(folder: string, url: string): Promise<string[]> {
  let executablePath: string;
  try {
    executablePath = await ensureChromium();
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    const problem = `the packages were not tried in a page: ${error.message}`;
    if (isCI) return [problem];
    console.error(problem);
    return [];
  }
  const file = path.join(folder, "first.page.ts");
  await writeFile(file, programFor("@leveret/websocket"));
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    define: { "process.env.AMQP_URL": JSON.stringify(url) },
  });
  const server = await serve(outputFiles[0]?.text ?? "");
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    const said = new Promise<string>((resolve) => {
      page.on("console", (message) => resolve(message.text()));
      page.on("pageerror", (error) => resolve(String(error)));
      setTimeout(() => resolve("nothing"), within).unref();
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const text = await said;
    return text === prints ? [] : [`the first program fails: bundled for a page, it says ${text}`];
  } finally {
    await browser.close();
    server.close();
  }
}

async function serve(program: string): Promise<Server> {
  const server = createServer((request, response) => {
    const isProgram = request.url === "/first.js";
    response.setHeader("Content-Type", isProgram ? "text/javascript" : "text/html");
    response.end(isProgram ? program : '<!doctype html><script type="module" src="/first.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** A command that a package brings with it, and that runs until it is stopped. */
class Command {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #output = "";

  private constructor(child: ChildProcessByStdio<null, Readable, Readable>) {
    this.#child = child;
    process.once("exit", () => child.kill());
  }

  static start(folder: string, packageName: string, name: string, args: readonly string[]): Command {
    const home = path.join(folder, "node_modules", packageName);
    const { bin } = JSON.parse(readFileSync(path.join(home, "package.json"), "utf8")) as {
      bin: Record<string, string>;
    };
    const file = path.join(home, bin[name] ?? "");
    const env = { ...process.env, NODE_OPTIONS: "" };
    const child = spawn(process.execPath, [file, ...args], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    return new Command(child);
  }

  /** What of its output matches. */
  says(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const take = (line: string): void => {
        this.#output += `${line}\n`;
        const found = pattern.exec(line)?.[0];
        if (found !== undefined) resolve(found);
      };
      createInterface({ input: this.#child.stdout }).on("line", take);
      createInterface({ input: this.#child.stderr }).on("line", take);
      this.#child.once("close", (code) => reject(new Error(`a command ended with ${code}:\n${this.#output}`)));
    });
  }

  stop(): void {
    this.#child.kill();
  }
}

function nameOf(node: string): string {
  const relative = path.relative(repositoryRoot, node);
  return /node(\d+)/.exec(relative)?.[0] ?? "the Node of the repository";
}
