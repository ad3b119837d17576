/** What Deno's permissions allow, each time in a process with narrow flags. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Endpoint } from "./index.ts";
import { runProgram } from "./testing/programs.ts";

let folder: string;
let unixPath: string;
let port: number;
const servers: net.Server[] = [];

async function listen(where: net.ListenOptions): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.end());
  });
  servers.push(server);
  server.listen(where);
  await once(server, "listening");
  return server;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "leveret-deno-"));
  unixPath = path.join(folder, "broker.sock");
  await listen({ path: unixPath });
  port = ((await listen({ host: "127.0.0.1", port: 0 })).address() as net.AddressInfo).port;
});

afterAll(async () => {
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

/** Connects with no more than the given permissions. */
async function connectWith(flags: readonly string[], endpoint: Endpoint, signal: AbortSignal): Promise<unknown> {
  const { output } = await runProgram(flags, "connect-once.ts", [JSON.stringify(endpoint)], signal);
  return JSON.parse(output);
}

const refused = (where: string, flags: string): unknown => ({
  code: "PERMISSION_DENIED",
  phase: "tcp",
  message: `${where}: Deno does not permit this program to connect; run it with ${flags}`,
});

describe("TCP", () => {
  it("needs --allow-net for host and port, and no more", async ({ signal }) => {
    const endpoint: Endpoint = { transport: "tcp", host: "127.0.0.1", port };
    const flag = `--allow-net=127.0.0.1:${port}`;
    expect(await connectWith([], endpoint, signal)).toEqual(refused(`127.0.0.1:${port}`, flag));
    expect(await connectWith([flag], endpoint, signal)).toEqual({ opened: true });
  });

  it("needs it for the name that was given, not for its addresses", async ({ signal }) => {
    const endpoint: Endpoint = { transport: "tcp", host: "localhost", port };
    const flag = `--allow-net=localhost:${port}`;
    const wrongFlag = `--allow-net=127.0.0.1:${port}`;
    expect(await connectWith([wrongFlag], endpoint, signal)).toEqual(refused(`localhost:${port}`, flag));
    expect(await connectWith([flag], endpoint, signal)).toEqual({ opened: true });
  });

  it("is refused with TLS as without, and for IPv6 in brackets", async ({ signal }) => {
    const endpoint: Endpoint = { transport: "tcp", host: "::1", port: 5671, tls: {} };
    expect(await connectWith([], endpoint, signal)).toEqual(refused("[::1]:5671", "--allow-net=[::1]:5671"));
  });

  it("needs nothing else for TLS", async ({ signal }) => {
    const endpoint: Endpoint = { transport: "tcp", host: "127.0.0.1", port, tls: {} };
    // The peer ends when it hears the first message of the handshake.
    const outcome = { code: "CONNECTION_RESET", phase: "tls" };
    expect(await connectWith([`--allow-net=127.0.0.1:${port}`], endpoint, signal)).toMatchObject(outcome);
  });
});

describe("a file that an option names", () => {
  it("needs --allow-read, and the error says so", async ({ signal }) => {
    const file = path.join(folder, "ca.pem");
    const { output } = await runProgram(["--allow-net"], "connect-with-file.ts", [file], signal);
    const why = `Deno does not permit this program to read it; run it with --allow-read=${file}`;
    const message = `tls.caFile: the file ${JSON.stringify(file)} cannot be read: ${why}`;
    expect(JSON.parse(output)).toEqual({ name: "UsageError", message });
  });
});

describe.skipIf(process.platform === "win32")("a unix domain socket", () => {
  it("needs three flags, and the error names them all at once", async ({ signal }) => {
    const endpoint: Endpoint = { transport: "unix", path: unixPath };
    const flags = [`--allow-read=${unixPath}`, `--allow-write=${unixPath}`, `--allow-net=unix:${unixPath}`];
    const error = refused(unixPath, flags.join(" "));
    expect(await connectWith([], endpoint, signal)).toEqual(error);
    expect(await connectWith(flags.slice(0, 2), endpoint, signal)).toEqual(error);
    expect(await connectWith(flags, endpoint, signal)).toEqual({ opened: true });
  });
});
