/** The I/O contract, whole: run each case of `ioContract` whose needs the runtime meets. */

import { Bench } from "./bench.ts";
import { type BenchCase, connectCases } from "./connect-cases.ts";
import type { IoCase, Peer, PeerTransport, TransportNeed } from "./contract.ts";
import { endingCases } from "./ending-cases.ts";
import { ok } from "./expect.ts";
import { loopCases } from "./loop-cases.ts";
import { type StreamCase, type StreamPeer, streamCases } from "./stream-cases.ts";
import { tlsCases } from "./tls-cases.ts";

export type {
  IoCase,
  IoContext,
  IoNeed,
  Peer,
  PeerCertificates,
  PeerHost,
  PeerOptions,
  PeerReport,
  PeerStep,
  PeerTlsOptions,
  PeerTransport,
  TransportNeed,
} from "./contract.ts";

/** The transports, and what each cannot do. */
const transports: readonly (readonly [PeerTransport, readonly TransportNeed[]])[] = [
  ["tcp", []],
  ["tls", []],
  ["unix", ["reset"]],
  ["websocket", ["reset", "half-close"]],
];

/** Every case of the contract. Those of streams are there once for each transport. */
export const ioContract: readonly IoCase[] = [
  ...loopCases.map((one) => benchCase("loop", one)),
  ...connectCases.map((one) => benchCase("connect", one)),
  ...tlsCases.map((one) => benchCase("tls", one)),
  ...transports.flatMap(([transport, lacks]) =>
    [...streamCases, ...endingCases]
      .filter(({ needs = [] }) => !needs.some((need) => lacks.includes(need)))
      .map((one) => streamCase(transport, one)),
  ),
];

function benchCase(subject: string, one: BenchCase): IoCase {
  return {
    name: `${subject}: ${one.name}`,
    needs: one.needs,
    run: async (context) => {
      const bench = new Bench(context);
      await one.run(bench, context);
      await bench.finish();
    },
  };
}

function streamCase(transport: PeerTransport, one: StreamCase): IoCase {
  return benchCase(transport, {
    name: one.name,
    needs: [transport],
    async run(bench) {
      const peers: Peer[] = [];
      await one.run(bench, async (...script) => {
        const peer = await bench.listen({ transport, script });
        peers.push(peer);
        return streamPeer(bench, peer);
      });
      for (const peer of peers) ok((await peer.report()).intact, "the peer received what was sent, in order");
    },
  });
}

function streamPeer(bench: Bench, peer: Peer): StreamPeer {
  return {
    endpoint: peer.endpoint,
    go: () => peer.go(),
    hears: (bytes) =>
      bench.until(async () => (await peer.report()).received >= bytes, `the peer to receive ${bytes} bytes`),
    hearsEnd: () => bench.until(async () => (await peer.report()).ended > 0, "the peer to see our end"),
    received: async () => (await peer.report()).received,
    said: async () => (await peer.report()).said,
  };
}
