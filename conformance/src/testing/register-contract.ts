/** The I/O contract as tests of vitest. */

import type { IoServices } from "@leveret/core/client";
import { beforeAll, it } from "vitest";
import { type IoCase, type IoNeed, ioContract, type PeerHost, type PeerTransport } from "../io-contract/index.ts";
import { skip } from "./skip.ts";

type Facts = Pick<IoServices, "runtime" | "capabilities">;

/** The waits of a case have limits of their own, which say what did not happen. */
const limit = 90_000;

const isTransport = (need: IoNeed): need is PeerTransport => ["tcp", "tls", "unix", "websocket"].includes(need);

/** The cases that are about no other transports than these; those about options of TLS come with `"tls"`. */
export function contractOf(...transports: readonly PeerTransport[]): readonly IoCase[] {
  return ioContract.filter(({ needs }) => needs.every((need) => transports.includes(isTransport(need) ? need : "tls")));
}

/** Registers cases of the contract, to run in this runtime with the peers that `start` gives. */
export function registerContract(
  cases: readonly IoCase[],
  start: () => Promise<PeerHost>,
  makeIo: () => IoServices,
): void {
  let peers: PeerHost;
  beforeAll(async () => {
    peers = await start();
  });
  registerContractWith(cases, makeIo, (one) => one.run({ io: makeIo(), peers, environment: process.env }));
}

/** Registers cases of the contract, to run somewhere else. */
export function registerContractWith(
  cases: readonly IoCase[],
  facts: () => Facts,
  run: (one: IoCase) => Promise<void>,
): void {
  for (const one of cases) {
    it(one.name, { timeout: limit }, async (context) => {
      skip(context, reasonToSkip(one.needs, facts()));
      await run(one);
    });
  }
}

/** Only a transport that the adapter's own `capabilities` deny can be missing; who has TLS has all of its options. */
function reasonToSkip(needs: readonly IoNeed[], { runtime, capabilities }: Facts): string | undefined {
  const missing = needs.find((need) => !capabilities[isTransport(need) ? need : "tls"]);
  return missing === undefined ? undefined : `needs ${missing}, which ${runtime.split(" ", 1)[0]} has not`;
}
