/** The I/O contract of the pair of docs/examples/custom-loops, with what `Deno.connect` gives. */

import { type Endpoint, TransportError, type TransportErrorCode } from "@leveret/core/client";
import { denoIo } from "@leveret/deno";
import { afterAll, describe } from "vitest";
import { type Pair, pairIo } from "../../../docs/examples/custom-loops/pair-io.ts";
import { NodeHosts } from "../testing/node-hosts.ts";
import { contractOf, registerContract } from "../testing/register-contract.ts";

function explain(cause: unknown, phase?: "dns" | "tcp"): TransportError {
  const codes: readonly (readonly [new (...args: never) => Error, TransportErrorCode])[] = [
    [Deno.errors.ConnectionRefused, "CONNECTION_REFUSED"],
    [Deno.errors.ConnectionReset, "CONNECTION_RESET"],
    [Deno.errors.BrokenPipe, "CONNECTION_RESET"],
  ];
  const code = codes.find(([type]) => cause instanceof type)?.[1] ?? "TRANSPORT_FAILED";
  return new TransportError(code, String(cause), { phase, cause });
}

/** Deno's own `writable` closes both directions. */
function halfClosing(connection: Deno.TcpConn): Pair {
  const writable = new WritableStream<Uint8Array>({
    async write(chunk) {
      for (let sent = 0; sent < chunk.length; ) sent += await connection.write(chunk.subarray(sent));
    },
    close: () => connection.closeWrite(),
    abort: () => connection.close(),
  });
  return { readable: connection.readable, writable };
}

async function open(endpoint: Endpoint, signal: AbortSignal): Promise<Pair> {
  if (endpoint.transport !== "tcp") throw new Error("only tcp was announced");
  const { host: hostname, port } = endpoint;
  try {
    return halfClosing(await Deno.connect({ hostname, port, signal } as Deno.ConnectOptions));
  } catch (error) {
    if (!String(error).includes("failed to lookup")) throw explain(error, "tcp");
    throw new TransportError("NAME_NOT_FOUND", `${hostname} is not known`, { phase: "dns", cause: error });
  }
}

describe("the I/O contract of a pair of web streams", () => {
  const hosts = new NodeHosts();
  afterAll(() => hosts.close());
  const source = { transports: { tcp: true }, open, explain: (error: unknown) => explain(error) };
  registerContract(
    contractOf("tcp"),
    () => hosts.startPeers(),
    () => pairIo(denoIo(), source),
  );
});
