/** A headless Chromium, with pages that are served from here. */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import type { PageProgram, Place } from "../runners/chromium/places.ts";
import { ObjectServer } from "./remote-objects.ts";

/** Without a sandbox, which the user root cannot have, and without a word to anyone outside. */
export const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The path of a Chromium on this machine. */
export function findChromium(): string {
  const found = places.find((place) => place !== undefined && existsSync(place));
  if (found === undefined)
    throw new Error("There is no Chromium; install the package chromium, or set CHROMIUM to a path");
  return found;
}

/** Starts a Chromium. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: flags });
}

/** A program in a page that has nothing else: see runners/chromium/places.ts. */
export interface ProgramPage extends Omit<PageProgram, "describe"> {
  readonly page: Page;
  describe(place: Place): Promise<ReturnType<PageProgram["describe"]>>;
  close(): Promise<void>;
}

/**
 * Bundles a program from its sources, and opens a page that runs it; it is also at `/program.js`, for workers.
 *
 * @param objects - What the program can call.
 */
export async function openProgram(browser: Browser, program: URL, objects: object): Promise<ProgramPage> {
  const server = await serve(await bundle(program));
  const objectServer = new ObjectServer(objects);
  const page = await browser.newPage();
  await page.exposeFunction("callObjects", (line: string) => objectServer.answer(line));
  const { port } = server.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`);
  return {
    page,
    run: (name, place) =>
      page.evaluate(([what, where]) => (globalThis as unknown as Served).program.run(what, where), [
        name,
        place,
      ] as const),
    describe: (place) => page.evaluate((where) => (globalThis as unknown as Served).program.describe(where), place),
    async close() {
      await page.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

interface Served {
  readonly program: PageProgram;
}

/** A program of the sources, in one script for a page. */
export async function bundle(program: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(program)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    // The `name` of an error is that of its class, which esbuild would change.
    keepNames: true,
    target: "es2022",
    conditions: ["@leveret/source"],
  });
  return outputFiles.map(({ text }) => text).join("\n");
}

/** Serves a page with a program, which is also at `/program.js`, for workers. */
export async function serve(program: string): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === "/program.js") response.setHeader("Content-Type", "text/javascript").end(program);
    else
      response
        .setHeader("Content-Type", "text/html")
        .end('<!doctype html><script type="module" src="/program.js"></script>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
