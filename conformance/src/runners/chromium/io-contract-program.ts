/** The cases of the I/O contract, in a page or in a worker of it; peers live with the test. */

import { ioContract, type PeerHost } from "../../io-contract/index.ts";
import { greetingIo } from "../../testing/greeting-io.ts";
import { serve } from "./places.ts";

serve(async (name, io, objects) => {
  const one = ioContract.find((candidate) => candidate.name === name);
  if (one === undefined) throw new Error(`there is no case "${name}"`);
  await one.run({ io: greetingIo(io), peers: (await objects.call("peers")) as PeerHost });
});
