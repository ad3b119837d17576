/** What the I/O contract, which runs in Bun as a whole, does not say: that the traps of `Bun.connect` are none of ours. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { bunIo, type TlsOptions, type TransportError } from "./index.ts";
import { type SilentPort, silentPort } from "./testing/silent-port.ts";

const bun = [process.execPath, "--conditions=@leveret/source"] as const;

it("names the runtime", () => {
  expect(bunIo().runtime).toMatch(/^bun \d+\.\d+\.\d+/);
});

it("frees the memory of a large chunk as soon as it was received", async () => {
  const size = 4_000_000;
  const server = net.createServer((socket) => {
    socket.end(new Uint8Array(size).fill(7));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;

  const chunks: { readonly chunk: Uint8Array; readonly length: number }[] = [];
  await new Promise<void>((resolve) => {
    const stream = bunIo().connect(
      { transport: "tcp", host: "127.0.0.1", port },
      {
        opened: () => {},
        received: (chunk) => {
          expect(chunk.every((byte) => byte === 7)).toBe(true);
          chunks.push({ chunk, length: chunk.length });
        },
        writable: () => {},
        closed: () => {
          stream.end();
          resolve();
        },
      },
    );
  });
  expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBe(size);
  const large = chunks.filter(({ length }) => length >= 65_536);
  expect(large.length).toBeGreaterThan(0);
  expect(large.map(({ chunk }) => chunk.length)).toEqual(large.map(() => 0));
  server.close();
  await once(server, "close");
});

describe("TLS without an option", () => {
  /** The first byte of a TLS record that carries a handshake message (RFC 8446, section 5.1). */
  const handshakeRecord = 22;

  it.each<[string, TlsOptions]>([
    ["{}", {}],
    [
      "only undefined values",
      { ca: undefined, cert: undefined, key: undefined, serverName: undefined, verify: undefined },
    ],
    ["verify: false", { verify: false }],
  ])("is TLS all the same: %s", async (_, tls) => {
    const server = net.createServer();
    const heard = new Promise<Buffer>((resolve) => {
      server.on("connection", (socket) => {
        socket.once("data", (bytes) => {
          resolve(bytes);
          // Whoever would take this for its own protocol is not in TLS.
          socket.end("AMQP\x00\x00\x09\x01");
        });
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;

    const told: string[] = [];
    const cause = await new Promise<TransportError | undefined>((resolve) => {
      bunIo().connect(
        { transport: "tcp", host: "127.0.0.1", port, tls },
        {
          opened: () => void told.push("opened"),
          received: () => void told.push("received"),
          writable: () => {},
          closed: resolve,
        },
      );
    });
    expect((await heard)[0]).toBe(handshakeRecord);
    expect(told).toEqual([]);
    expect(cause?.code).toBe("TLS_HANDSHAKE");
    server.close();
    await once(server, "close");
  });
});

describe.runIf(process.platform === "linux")("a host that does not answer", () => {
  let silent: SilentPort;
  beforeAll(async () => {
    silent = await silentPort(bun);
  });
  afterAll(() => silent.close());

  /** Runs a program to its end, which must come by itself. */
  async function giveUp(way: "abort" | "timeout"): Promise<string> {
    const program = fileURLToPath(new URL("testing/give-up-program.ts", import.meta.url));
    const [runtime, ...args] = bun;
    const child = spawn(runtime, [...args, program, String(silent.port), way], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
    await once(child, "close");
    return output.trim();
  }

  it("can be given up, and does not keep the process", async () => {
    expect(await giveUp("abort")).toBe("closed");
  });

  it("is given up after connectTimeout, and does not keep the process", async () => {
    expect(await giveUp("timeout")).toBe("CONNECT_TIMEOUT");
  });
});
