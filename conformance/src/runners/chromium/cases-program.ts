/** The conformance cases, in a page or in a worker of it; the broker's host lives with the test. */

import { type BrokerHost, cases, runCase } from "../../cases/index.ts";
import { serve } from "./places.ts";

serve(async (name, io, objects) => {
  const one = cases.find((candidate) => `${candidate.group}: ${candidate.name}` === name);
  if (one === undefined) throw new Error(`there is no case "${name}"`);
  await runCase(one, (await objects.call("broker")) as BrokerHost, io);
});
