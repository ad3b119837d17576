/** The I/O contract as tests of vitest. */

import type { IoServices } from "@leveret/core/client";
import { beforeAll, it } from "vitest";
import { type IoCase, type IoNeed, ioContract, type PeerHost } from "../io-contract/index.ts";
import { skip } from "./skip.ts";

type Facts = Pick<IoServices, "runtime" | "capabilities">;

/** Registers every case of the contract, to run in this runtime with the peers that `start` gives. */
export function registerContract(start: () => Promise<PeerHost>, makeIo: () => IoServices): void {
  let peers: PeerHost;
  beforeAll(async () => {
    peers = await start();
  });
  registerContractWith(makeIo, (one) => one.run({ io: makeIo(), peers }));
}

/** Registers every case of the contract, to run somewhere else. */
export function registerContractWith(facts: () => Facts, run: (one: IoCase) => Promise<void>): void {
  for (const one of ioContract) {
    it(one.name, async (context) => {
      skip(context, reasonToSkip(one.needs, facts()));
      await run(one);
    });
  }
}

/** Only a transport that the adapter's own `capabilities` deny can be missing; who has TLS has all of its options. */
function reasonToSkip(needs: readonly IoNeed[], { runtime, capabilities }: Facts): string | undefined {
  const { tcp, tls, unix, websocket } = capabilities;
  const has: Record<IoNeed, boolean> = {
    tcp,
    tls,
    unix,
    websocket,
    "client-certificate": tls,
    passphrase: tls,
    pfx: tls,
    "min-version": tls,
  };
  const missing = needs.find((need) => !has[need]);
  return missing === undefined ? undefined : `needs ${missing}, which ${runtime} has not by this adapter`;
}
