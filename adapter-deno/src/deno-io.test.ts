/** What the I/O contract, which runs in Deno as a whole, does not say. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type SilentPort, silentPort } from "../../adapter-bun/src/testing/silent-port.ts";
import { type ByteStream, denoIo, type Endpoint, type TcpOptions, UsageError } from "./index.ts";
import { runProgram } from "./testing/programs.ts";

const ignore = { opened: () => {}, received: () => {}, writable: () => {}, closed: () => {} };

function refusal(endpoint: Endpoint): unknown {
  try {
    denoIo().connect(endpoint, ignore);
  } catch (error) {
    return error;
  }
  return undefined;
}

it("names the runtime", () => {
  expect(denoIo().runtime).toBe(`deno ${Deno.version.deno}`);
});

describe("what Deno cannot honour", () => {
  const tcp = { transport: "tcp", host: "127.0.0.1", port: 1 } as const;

  it.each<[string, Endpoint]>([
    ["tls.ciphers", { ...tcp, tls: { ciphers: "ECDHE-RSA-AES128-GCM-SHA256" } }],
    ["tcp.keepAlive", { ...tcp, tcp: { keepAlive: 30_000 } }],
    ["WebSocket", { transport: "websocket", url: "ws://127.0.0.1:1/" }],
  ])("is refused: %s", (name, endpoint) => {
    const error = refusal(endpoint);
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: "NOT_SUPPORTED", message: expect.stringContaining(name) });
  });
});

describe("what cannot be an address", () => {
  it.each<[Endpoint, string, string]>([
    [{ transport: "tcp", host: "a name", port: 1 }, "NAME_NOT_FOUND", "dns"],
    [{ transport: "unix", path: "/dev/null/broker.sock" }, "CONNECTION_REFUSED", "tcp"],
  ])("fails as what is not there: %o", async (endpoint, code, phase) => {
    const cause = await new Promise((resolve) => denoIo().connect(endpoint, { ...ignore, closed: resolve }));
    expect(cause).toMatchObject({ code, phase });
  });
});

it("leaves no connection open that cannot be set up", async () => {
  // As macOS says it of a connection that the peer has reset meanwhile.
  const mistake = Object.assign(new Error("Invalid argument (os error 22)"), { code: "EINVAL" });
  const close = vi.fn<() => void>();
  const setNoDelay = (): never => {
    throw mistake;
  };
  vi.spyOn(Deno, "connect").mockResolvedValue({ setNoDelay, close } as never);
  const endpoint = { transport: "tcp", host: "127.0.0.1", port: 1 } as const;
  const cause = await new Promise((resolve) => denoIo().connect(endpoint, { ...ignore, closed: resolve }));
  vi.restoreAllMocks();
  expect(cause).toMatchObject({ code: "TRANSPORT_FAILED", phase: "tcp", cause: mistake });
  expect(close).toHaveBeenCalledOnce();
});

describe("certificates and keys", () => {
  it.each([
    ["tls.ca", { ca: "no certificate" }],
    ["tls.ca", { ca: ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] }],
    ["tls.cert", { cert: "no certificate", key: "no key" }],
    ["tls.pfx", { pfx: new Uint8Array(10) }],
  ])("are refused at once when they cannot be read: %s", (name, tls) => {
    const error = refusal({ transport: "tcp", host: "127.0.0.1", port: 1, tls });
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`${name} cannot be used`),
    });
  });
});

describe.runIf(process.platform === "linux")("keep-alive", () => {
  const established = "01";

  /** The timer that the kernel has for our end of a connection: a line of /proc/net/tcp has it in its sixth column. */
  async function timerOf(port: number): Promise<string | undefined> {
    const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const lines = (await readFile("/proc/net/tcp", "latin1")).split("\n").map((line) => line.trim().split(/\s+/));
    return lines.find(([, , peer, state]) => state === established && peer?.endsWith(remote))?.[5]?.slice(0, 2);
  }

  it.each<[string, TcpOptions | undefined, string]>([
    ["is on by default", undefined, "02"],
    ["is off with 0", { keepAlive: 0 }, "00"],
  ])("%s", async (_, tcp, timer) => {
    const server = net.createServer((socket) => void socket.on("error", () => {}).resume());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const stream = await new Promise<ByteStream>((resolve) => {
      const opening = denoIo().connect(
        { transport: "tcp", host: "127.0.0.1", port, tcp },
        { ...ignore, opened: () => resolve(opening) },
      );
    });
    expect(await timerOf(port)).toBe(timer);
    stream.abort();
    server.close();
    await once(server, "close");
  });
});

describe.runIf(process.platform === "linux")("a host that does not answer", () => {
  const program = "give-up-program.ts";
  let silent: SilentPort;
  beforeAll(async () => {
    silent = await silentPort([process.execPath, "run", "-A"]);
  });
  afterAll(() => silent.close());

  it("can be given up, and does not keep the process", async ({ signal }) => {
    expect(await runProgram(["-A"], program, [String(silent.port), "abort"], signal)).toEqual({
      output: "closed",
      code: 0,
    });
  });

  it("is given up after connectTimeout, and does not keep the process", async ({ signal }) => {
    const result = await runProgram(["-A"], program, [String(silent.port), "timeout"], signal);
    expect(result).toEqual({ output: "CONNECT_TIMEOUT", code: 0 });
  });
});
