/** The demo mode: a page that publishes and consumes in the browser, and the files that it is made of. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { HostAndPort } from "./config/values.ts";

/** Answers a request that is not for a WebSocket; false: this is somebody else's to answer. */
export type ServePage = (request: IncomingMessage, response: ServerResponse) => boolean;

const here = fileURLToPath(import.meta.url);

/** The page may load its own files and open WebSockets, and nothing else. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src ws: wss:; frame-ancestors 'none'; base-uri 'none'";

/** Reads the page once. */
export async function loadDemo(): Promise<ServePage> {
  const root = packageRoot();
  const source = path.join(root, "src/demo");
  const files = new Map([
    ["/", { type: "text/html; charset=utf-8", body: await readFile(path.join(source, "index.html")) }],
    ["/style.css", { type: "text/css; charset=utf-8", body: await readFile(path.join(source, "style.css")) }],
    ["/page.js", { type: "text/javascript; charset=utf-8", body: await readProgram(root) }],
  ]);
  return (request, response) => {
    const file = request.method === "GET" || request.method === "HEAD" ? files.get(request.url ?? "") : undefined;
    if (file === undefined) return false;
    response.writeHead(200, {
      "Content-Type": file.type,
      "Content-Security-Policy": contentSecurityPolicy,
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-store",
      Connection: "close",
    });
    response.end(request.method === "HEAD" ? undefined : file.body);
    return true;
  };
}

/**
 * The origins of the page. Not whatever the Host header says: a page of somebody else's, whose name was made to point
 * here, has an origin like that too.
 */
export function demoOrigins({ host, port }: HostAndPort, tls: boolean): string[] {
  const scheme = tls ? "https" : "http";
  const names = ["localhost", "127.0.0.1", "[::1]", host.includes(":") ? `[${host}]` : host];
  return names.map((name) => new URL(`${scheme}://${name}:${port}`).origin);
}

/** What was built; or, where the sources run as they are, the sources of now. */
async function readProgram(root: string): Promise<string | Buffer> {
  if (!here.endsWith(".ts")) return readFile(path.join(root, "dist/demo/page.js"));
  const bundler = "./testing/bundle-page.ts";
  const module = (await import(bundler)) as { bundlePage(program: string): Promise<string> };
  return module.bundlePage(path.join(root, "src/demo/page.ts"));
}

function packageRoot(): string {
  let folder = path.dirname(here);
  while (!existsSync(path.join(folder, "package.json"))) folder = path.dirname(folder);
  return folder;
}
