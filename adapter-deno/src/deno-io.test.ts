/** What the I/O contract, which runs in Deno as a whole, does not say. */

import dns from "node:dns";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type SilentPort, silentPort } from "../../adapter-bun/src/testing/silent-port.ts";
import { type ByteStream, denoIo, type Endpoint, type TcpOptions, type TransportError, UsageError } from "./index.ts";
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

describe.runIf(process.platform === "linux")("a name with several addresses", () => {
  const fixtures = new URL("../../conformance/src/testing/certificates/", import.meta.url);
  const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;
  const servers: net.Server[] = [];
  let port: number;
  /** Who accepted a connection. */
  let asked: string[];

  async function listen(server: net.Server, host: string): Promise<void> {
    servers.push(server);
    server.on("connection", () => void asked.push(host));
    server.listen(port, host);
    await once(server, "listening");
    port = (server.address() as net.AddressInfo).port;
  }

  const ending = (): net.Server => net.createServer((socket) => void socket.on("error", () => {}).destroy());

  /** What TLS to the name comes to, which Deno resolves to the first address, and a look-up to all of them. */
  async function outcome(): Promise<TransportError | "opened"> {
    const connect = Deno.connect;
    vi.spyOn(Deno, "connect").mockImplementation(((options: Deno.ConnectOptions) => {
      return connect(options.hostname === "rabbit.test" ? { ...options, hostname: addresses[0] } : options);
    }) as typeof Deno.connect);
    vi.spyOn(dns.promises, "lookup").mockResolvedValue(addresses.map((address) => ({ address, family: 4 })) as never);
    const options = { ca: await readFile(new URL("authority.pem", fixtures), "utf8"), serverName: "localhost" };
    return new Promise((resolve) => {
      const stream = denoIo().connect(
        { transport: "tcp", host: "rabbit.test", port, tls: options },
        {
          ...ignore,
          opened: () => {
            resolve("opened");
            stream.abort();
          },
          closed: (cause) => resolve(cause as TransportError),
        },
      );
    });
  }

  beforeEach(async () => {
    port = 0;
    asked = [];
    await listen(ending(), addresses[0]);
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    for (const server of servers.splice(0)) {
      server.close();
      await once(server, "close");
    }
  });

  it("is tried with another one where TLS fails", async () => {
    const [key, cert] = await Promise.all(
      ["server.key.pem", "server.pem"].map((name) => readFile(new URL(name, fixtures))),
    );
    await listen(ending(), addresses[1]);
    await listen(
      tls.createServer({ key, cert }, (socket) => void socket.on("error", () => {})),
      addresses[2],
    );
    expect(await outcome()).toBe("opened");
    expect(asked).toEqual(addresses);
  });

  it("has the failure of every address", async () => {
    await listen(ending(), addresses[1]);
    const error = await outcome();
    expect(error).toMatchObject({ code: "CONNECTION_RESET", phase: "tls" });
    expect(error).toHaveProperty("errors", [
      expect.objectContaining({ code: "CONNECTION_RESET", phase: "tls" }),
      expect.objectContaining({ code: "CONNECTION_RESET", phase: "tls" }),
      expect.objectContaining({ code: "CONNECTION_REFUSED", phase: "tcp" }),
    ]);
    expect((error as TransportError).message).toContain(
      `rabbit.test:${port}: all 3 addresses failed: 127.0.0.1:${port}: `,
    );
  });

  it("is tried with those only that the program may connect to", async () => {
    const query = Deno.permissions.querySync.bind(Deno.permissions);
    const allowed = { state: "granted" };
    vi.spyOn(Deno.permissions, "querySync").mockImplementation(((descriptor: Deno.NetPermissionDescriptor) => {
      const isFirst = descriptor.host === "rabbit.test" || descriptor.host?.startsWith(addresses[0]) === true;
      return descriptor.name === "net" ? (isFirst ? allowed : { state: "prompt" }) : query(descriptor);
    }) as typeof Deno.permissions.querySync);
    await listen(ending(), addresses[1]);
    expect(await outcome()).toMatchObject({ code: "CONNECTION_RESET", phase: "tls", errors: [] });
    expect(asked).toEqual([addresses[0]]);
  });
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
