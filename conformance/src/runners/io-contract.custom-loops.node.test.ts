/** The I/O contract of the adapters in docs/examples/custom-loops. */

import { once } from "node:events";
import net from "node:net";
import { type Endpoint, TransportError, type TransportErrorCode } from "@leveret/core/client";
import { nodeIo } from "@leveret/node";
import { afterAll, describe, expect, it } from "vitest";
import { type Pair, pairIo } from "../../../docs/examples/custom-loops/pair-io.ts";
import { PolledLoop } from "../../../docs/examples/custom-loops/polled-io.ts";
import { socketPair } from "../../../docs/examples/custom-loops/socket-pair.ts";
import { NodePeerHost } from "../testing/peer-host.ts";
import { contractOf, registerContract } from "../testing/register-contract.ts";

const errorCodes: Readonly<Record<string, TransportErrorCode>> = {
  ENOTFOUND: "NAME_NOT_FOUND",
  ECONNREFUSED: "CONNECTION_REFUSED",
  ENOENT: "CONNECTION_REFUSED",
  ECONNRESET: "CONNECTION_RESET",
  EPIPE: "CONNECTION_RESET",
};

function explain(cause: unknown, phase?: "dns" | "tcp"): TransportError {
  const code = errorCodes[(cause as NodeJS.ErrnoException).code ?? ""] ?? "TRANSPORT_FAILED";
  return new TransportError(code, String(cause), { phase, cause });
}

/** A socket of Node's as a pair of web streams. */
async function open(endpoint: Endpoint, signal: AbortSignal): Promise<Pair> {
  if (endpoint.transport === "websocket") throw new Error("that is no socket");
  const address =
    endpoint.transport === "unix" ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  const socket = net.connect({ ...address, noDelay: true, allowHalfOpen: true });
  try {
    await once(socket, "connect", { signal });
  } catch (error) {
    socket.destroy();
    throw explain(error, (error as NodeJS.ErrnoException).code === "ENOTFOUND" ? "dns" : "tcp");
  }
  return socketPair(socket);
}

const hosts: NodePeerHost[] = [];
const start = async (): Promise<NodePeerHost> => {
  const host = await NodePeerHost.start();
  hosts.push(host);
  return host;
};
afterAll(async () => {
  for (const host of hosts) await host.close();
});

describe("the I/O contract of a pair of web streams", () => {
  const source = { transports: { tcp: true, unix: true }, open, explain: (error: unknown) => explain(error) };
  registerContract(contractOf("tcp", "unix"), start, () => pairIo(nodeIo(), source));
});

describe("a pair of web streams of which one half fails alone", () => {
  const never = new Promise<void>(() => {});

  async function endOf(pair: Pair, written: readonly Uint8Array[]): Promise<TransportError | undefined> {
    const io = pairIo(nodeIo(), { transports: { tcp: true }, open: async () => pair });
    return new Promise((resolve) => {
      const stream = io.connect(
        { transport: "tcp", host: "rabbit.test", port: 1 },
        { opened: () => stream.write(written), received: () => {}, writable: () => {}, closed: resolve },
      );
    });
  }

  it("is over when nothing can be written any more", async () => {
    const mistake = new Error("the peer takes nothing more");
    const readable = new ReadableStream<Uint8Array>({ pull: () => never });
    const writable = new WritableStream<Uint8Array>({ write: () => Promise.reject(mistake) });
    const cause = await endOf({ readable, writable }, [new Uint8Array(1)]);
    expect(cause).toMatchObject({ code: "TRANSPORT_FAILED", cause: mistake });
  });

  it("leaves nothing open when nothing can be read any more", async () => {
    const mistake = new Error("the peer says nothing more");
    let aborted = 0;
    const readable = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(mistake) });
    const writable = new WritableStream<Uint8Array>({ abort: () => void (aborted += 1) });
    expect(await endOf({ readable, writable }, [])).toMatchObject({ code: "TRANSPORT_FAILED", cause: mistake });
    expect(aborted).toBe(1);
  });

  it("is a failure to connect when it belongs to somebody else", async () => {
    const { readable, writable } = new TransformStream<Uint8Array>();
    readable.getReader();
    expect(await endOf({ readable, writable }, [])).toMatchObject({ code: "TRANSPORT_FAILED" });
  });
});

it("goes on behind a task that throws, in a loop that is polled", () => {
  const loop = new PolledLoop(nodeIo());
  const ran: string[] = [];
  const mistake = new Error("a task's mistake");
  loop.io.post(() => {
    loop.io.post(() => void ran.push("last"));
    throw mistake;
  });
  loop.io.post(() => void ran.push("next"));
  expect(() => loop.poll()).toThrow(mistake);
  loop.poll();
  expect(ran).toEqual(["next", "last"]);
});

describe("the I/O contract of a loop that is polled", () => {
  const polling: (() => void)[] = [];
  afterAll(() => {
    for (const stop of polling) stop();
  });
  registerContract(contractOf("tcp", "tls", "unix"), start, () => {
    const loop = new PolledLoop(nodeIo());
    const timer = setInterval(() => loop.poll(), 1);
    polling.push(() => clearInterval(timer));
    return loop.io;
  });
});
