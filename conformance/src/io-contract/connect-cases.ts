/** Connecting: how it fails, and how it is given up. */

import { type Endpoint, type TcpEndpoint, TransportError, UsageError } from "@leveret/core/client";
import type { Bench } from "./bench.ts";
import type { IoContext, IoNeed, PeerStep } from "./contract.ts";
import { equal, ok, thrownBy } from "./expect.ts";

/** A case that says itself where it connects to. */
export interface BenchCase {
  readonly name: string;
  readonly needs: readonly IoNeed[];
  run(bench: Bench, context: IoContext): Promise<void>;
}

/** A name that never resolves (RFC 6761). */
const unknownHost = "no-such-host.invalid";

/** Connects to where that must fail, and gives the reason. */
export async function failure(bench: Bench, endpoint: Endpoint): Promise<TransportError> {
  const probe = bench.connect(endpoint, { opened: (stream) => stream.abort() });
  const cause = await probe.closed();
  ok(!probe.isOpen, "the stream never opened");
  ok(cause instanceof TransportError, "the cause is a TransportError");
  return cause;
}

/** Where a relay would be: a peer on TCP that does something else. */
async function noRelay(bench: Bench, ...script: readonly PeerStep[]) {
  const peer = await bench.listen({ transport: "tcp", script });
  const { host, port } = peer.endpoint as TcpEndpoint;
  return { peer, endpoint: { transport: "websocket", url: `ws://${host}:${port}/` } as const };
}

/** Gives up streams to an endpoint, each one turn of the loop later. */
async function giveUpAtEveryTurn(bench: Bench, endpoint: Endpoint): Promise<void> {
  for (let turns = 0; turns < 12; turns += 1) {
    for (const give of ["abort", "end"] as const) {
      const probe = bench.connect(endpoint);
      for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => bench.io.post(resolve));
      probe[give]();
      equal(await probe.closed(), undefined, `the cause after ${give}`);
    }
  }
}

export const connectCases: readonly BenchCase[] = [
  {
    name: "a port where nobody listens refuses",
    needs: ["tcp"],
    async run(bench, { peers }) {
      const cause = await failure(bench, await peers.vacant("tcp"));
      equal(cause.code, "CONNECTION_REFUSED", "its code");
      equal(cause.phase, "tcp", "its phase");
    },
  },
  {
    name: "a unix socket that does not exist refuses",
    needs: ["unix"],
    async run(bench, { peers }) {
      const cause = await failure(bench, await peers.vacant("unix"));
      equal(cause.code, "CONNECTION_REFUSED", "its code");
      equal(cause.phase, "tcp", "its phase");
    },
  },
  {
    name: "a name that does not exist is not found",
    needs: ["tcp"],
    async run(bench) {
      const cause = await failure(bench, { transport: "tcp", host: unknownHost, port: 5672 });
      equal(cause.code, "NAME_NOT_FOUND", "its code");
      equal(cause.phase, "dns", "its phase");
      ok(cause.message.includes(unknownHost), "the message names the host");
    },
  },
  {
    name: "a name is tried at its IPv4 address",
    needs: ["tcp"],
    async run(bench) {
      const { endpoint } = await bench.listen({ transport: "tcp", address: "127.0.0.1", script: [{ do: "echo" }] });
      const probe = await bench.open({ ...endpoint, host: "localhost" } as Endpoint);
      probe.writePattern(10);
      await probe.until(() => probe.received === 10, "the echo");
    },
  },
  {
    name: "an IPv6 address is reached",
    needs: ["tcp"],
    async run(bench) {
      const { endpoint } = await bench.listen({ transport: "tcp", address: "::1", script: [{ do: "echo" }] });
      ok(endpoint.transport === "tcp" && endpoint.host === "::1", "the peer is at ::1");
      await bench.open(endpoint);
    },
  },
  {
    name: "abort in the turn of connect",
    needs: ["tcp"],
    async run(bench) {
      const { endpoint } = await bench.listen({ transport: "tcp", script: [{ do: "say", bytes: 1_000 }] });
      const probe = bench.connect(endpoint);
      probe.abort();
      equal(await probe.closed(), undefined, "the cause");
      ok(!probe.isOpen, "the stream never opened");
    },
  },
  {
    name: "abort while the name is looked up",
    needs: ["tcp"],
    async run(bench) {
      for (const host of [unknownHost, "localhost"]) {
        for (let turns = 0; turns < 3; turns += 1) {
          const probe = bench.connect({ transport: "tcp", host, port: 1 });
          for (let turn = 0; turn < turns && !probe.isClosed; turn += 1) {
            await new Promise<void>((resolve) => bench.io.post(resolve));
          }
          const wasOver = probe.isClosed;
          probe.abort();
          const cause = await probe.closed();
          ok(wasOver || cause === undefined, "an abort has no cause");
        }
      }
    },
  },
  {
    name: "abort and end before opened, at every turn of the way",
    needs: ["tcp"],
    async run(bench) {
      const { endpoint } = await bench.listen({ transport: "tcp", script: [{ do: "echo" }] });
      await giveUpAtEveryTurn(bench, endpoint);
    },
  },
  {
    name: "abort and end before a WebSocket has opened, at every turn of the way",
    needs: ["websocket"],
    async run(bench) {
      const { endpoint } = await bench.listen({ transport: "websocket", script: [{ do: "echo" }] });
      await giveUpAtEveryTurn(bench, endpoint);
    },
  },
  {
    name: "a relay that is not there, or does not speak WebSocket, or goes away, is a failure of the handshake",
    needs: ["websocket"],
    async run(bench, { peers }) {
      const { host, port } = (await peers.vacant("tcp")) as TcpEndpoint;
      const scripts: readonly (readonly PeerStep[])[] = [
        [{ do: "end" }],
        [{ do: "reset" }],
        [{ do: "hear", bytes: 1 }, { do: "end" }],
        [{ do: "hear", bytes: 1 }, { do: "reset" }],
        [{ do: "hear", bytes: 1 }, { do: "say", bytes: 100 }, { do: "end" }],
      ];
      const endpoints: Endpoint[] = [{ transport: "websocket", url: `ws://${host}:${port}/` }];
      for (const script of scripts) endpoints.push((await noRelay(bench, ...script)).endpoint);
      for (const endpoint of endpoints) {
        const cause = await failure(bench, endpoint);
        equal(cause.code, "WEBSOCKET_HANDSHAKE", "its code");
        equal(cause.phase, "tcp", "its phase");
      }
    },
  },
  {
    name: "abort while a relay lets the handshake wait",
    needs: ["websocket"],
    async run(bench) {
      const { peer, endpoint } = await noRelay(bench, { do: "hear-end" });
      const probe = bench.connect(endpoint);
      await bench.until(async () => (await peer.report()).received > 0, "the client's request");
      probe.abort();
      equal(await probe.closed(), undefined, "the cause");
      ok(!probe.isOpen, "the stream never opened");
    },
  },
  {
    name: "a port that is none is refused at once, or a failure of the stream",
    needs: ["tcp"],
    async run(bench) {
      for (const port of [-1, 0, 1.5, 65_536, Number.NaN]) {
        const endpoint = { transport: "tcp", host: "127.0.0.1", port } as const;
        const cause = await failure(bench, endpoint).catch((error: unknown) => error);
        ok(cause instanceof TransportError || cause instanceof UsageError, `an error of the library for port ${port}`);
      }
    },
  },
  {
    name: "a write before opened is refused",
    needs: ["tcp"],
    async run(bench) {
      const { endpoint } = await bench.listen({ transport: "tcp", script: [{ do: "echo" }] });
      const probe = bench.connect(endpoint);
      const error = thrownBy(() => probe.write([new Uint8Array(1)]), "a write before opened");
      ok(error instanceof UsageError && error.code === "ILLEGAL_STATE", "a UsageError ILLEGAL_STATE");
    },
  },
  {
    name: "a transport that the runtime does not have is refused at once",
    needs: [],
    async run({ io }, { peers }) {
      const endpoints: readonly Endpoint[] = [
        { transport: "tcp", host: "127.0.0.1", port: 1 },
        { transport: "tcp", host: "127.0.0.1", port: 1, tls: { ca: peers.certificates.authority } },
        { transport: "unix", path: "/nowhere" },
        { transport: "websocket", url: "ws://127.0.0.1:1/" },
      ];
      const { tcp, tls, unix, websocket } = io.capabilities;
      const can = [tcp, tls, unix, websocket];
      const told: string[] = [];
      const handler = {
        opened: () => void told.push("opened"),
        received: () => void told.push("received"),
        writable: () => void told.push("writable"),
        closed: () => void told.push("closed"),
      };
      for (const [index, endpoint] of endpoints.entries()) {
        if (can[index] === true) continue;
        const error = thrownBy(() => io.connect(endpoint, handler), endpoint.transport);
        ok(error instanceof UsageError && error.code === "NOT_SUPPORTED", "a UsageError NOT_SUPPORTED");
      }
      await new Promise<void>((resolve) => io.post(resolve));
      equal(told.join(), "", "calls of a handler whose endpoint was refused");
    },
  },
];
