/**
 * The packages in use: the first program of the README and the one that blocks, with the import changed for each runtime
 * and nothing else, run in an empty project on the packed packages, against the packed broker; the first one also in a
 * page, through the packed relay.
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
import { whereAvailable } from "../lib/unavailable.ts";
import { nodes } from "./installed.ts";

/** A program of docs/examples. */
interface Example {
  readonly name: string;
  /** What of a runtime's package it imports. */
  readonly entry: "" | "/blocking";
  readonly prints: string;
}

const first: Example = { name: "first-program", entry: "", prints: "Hello, world" };
const blocking: Example = {
  name: "blocking",
  entry: "/blocking",
  prints: "unroutable: 312 NO_ROUTE\ngot one, 4 left\ntwo three, 2 went back",
};

const within = 30_000;

/** A program, and how to run it. */
interface Use {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly command: readonly [string, ...string[]];
  readonly prints: string;
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
    const inPage = () => tryPage(folder, `ws://127.0.0.1:${port}/`);
    problems.push(...(await whereAvailable("the packages were not tried in a page", inPage)));
    return problems;
  } finally {
    for (const server of servers) server.stop();
  }
}

async function uses({ hostname, port }: URL): Promise<Use[]> {
  const asJavaScript = async (text: string) => (await transform(text, { loader: "ts", format: "esm" })).code;
  const bun = path.join(repositoryRoot, "node_modules/.bin/bun");
  const deno = path.join(repositoryRoot, "node_modules/deno/deno");
  const mayConnect = [`--allow-net=${hostname}:${port}`, "--allow-env=AMQP_URL"];
  const all = [first, blocking].map(async (example): Promise<Use[]> => {
    const { name, entry, prints } = example;
    const imports = await asJavaScript(programFor("@leveret/node", example));
    // The worker is loaded from a file of the package.
    const mayRead = entry === "/blocking" ? ["--allow-read=node_modules"] : [];
    const more = { prints };
    return [
      ...nodes.flatMap((node): Use[] => [
        { ...more, name: `import in ${nameOf(node)}`, file: `${name}.mjs`, text: imports, command: [node] },
        {
          ...more,
          name: `require in ${nameOf(node)}`,
          file: `${name}.cjs`,
          text: asCommonJs(imports),
          command: [node],
        },
      ]),
      {
        ...more,
        name: "Deno, with no more permissions than it needs",
        file: `${name}.deno.ts`,
        text: programFor("@leveret/deno", example),
        command: [deno, "run", "--no-prompt", ...mayConnect, ...mayRead],
      },
      { ...more, name: "Bun", file: `${name}.bun.ts`, text: programFor("@leveret/bun", example), command: [bun] },
    ];
  });
  return (await Promise.all(all)).flat();
}

/** An example, on another package. */
function programFor(packageName: string, { name, entry }: Example): string {
  const text = readFileSync(path.join(repositoryRoot, `docs/examples/${name}.ts`), "utf8");
  const imported = `from "@leveret/node${entry}"`;
  if (!text.includes(imported)) throw new Error(`${name}.ts does not import ${imported}`);
  return text.replace(imported, `from "${packageName}${entry}"`);
}

/** What somebody writes who has no modules: the import is a `require`, and a function waits. */
function asCommonJs(text: string): string {
  const [, names, name, rest] = /^import \{(.*?)\} from "(.*?)";\n(.*)$/s.exec(text) ?? [];
  if (rest === undefined) throw new Error("the program does not begin with its import");
  return `const {${names}} = require("${name}");\nvoid (async () => {\n${rest}\n})();\n`;
}

async function tryUse({ name, file, text, command, prints }: Use, folder: string, url: string): Promise<string[]> {
  await writeFile(path.join(folder, file), text);
  const [program, ...args] = command;
  const env = { AMQP_URL: url, NODE_OPTIONS: "" };
  const { code, output } = await run(program, [...args, file], { cwd: folder, env, timeout: within });
  return code === 0 && output.trim() === prints ? [] : [`${file} fails: ${name} (exit code ${code}):\n${output}`];
}

/** Bundles the program as an application would, and opens it in a Chromium. */
async function tryPage(folder: string, url: string): Promise<string[]> {
  const executablePath = await ensureChromium();
  const file = path.join(folder, "first.page.ts");
  await writeFile(file, programFor("@leveret/websocket", first));
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
    return text === first.prints ? [] : [`the first program fails: bundled for a page, it says ${text}`];
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
