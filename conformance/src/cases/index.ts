/** The conformance suite: what the client does with a broker, case by case, in any runtime. */

import type { IoServices, Millis } from "@leveret/core/client";
import type { BrokerFacts, BrokerHost, CaseNeed, ConformanceCase, GroupedCase } from "./case.ts";
import { channelCases } from "./channel-cases.ts";
import { codecCases } from "./codec-cases.ts";
import { confirmCases } from "./confirm-cases.ts";
import { connectCases } from "./connect-cases.ts";
import { connectFailureCases } from "./connect-failure-cases.ts";
import { connectionCases } from "./connection-cases.ts";
import { consumeCases } from "./consume-cases.ts";
import { consumerEndCases } from "./consumer-end-cases.ts";
import { exchangeCases } from "./exchange-cases.ts";
import { faultCases } from "./fault-cases.ts";
import { getCases } from "./get-cases.ts";
import { iterateCases } from "./iterate-cases.ts";
import { observabilityCases } from "./observability-cases.ts";
import { publishCases } from "./publish-cases.ts";
import { publisherCases } from "./publisher-cases.ts";
import { queueCases } from "./queue-cases.ts";
import { queueTypeCases } from "./queue-type-cases.ts";
import { recoveryCases } from "./recovery-cases.ts";
import { retryCases } from "./retry-cases.ts";
import { rpcCases } from "./rpc-cases.ts";
import { rpcLossCases } from "./rpc-loss-cases.ts";
import { rpcServerCases } from "./rpc-server-cases.ts";
import { argumentCases } from "./argument-cases.ts";
import { recoveryConsumeCases } from "./recovery-consume-cases.ts";
import { recoveryFailureCases } from "./recovery-failure-cases.ts";
import { recoveryPublishCases } from "./recovery-publish-cases.ts";
import { recoveryRequestCases } from "./recovery-request-cases.ts";
import { recoveryTopologyCases } from "./recovery-topology-cases.ts";
import { Scene } from "./scene.ts";
import { settleCases } from "./settle-cases.ts";
import { threadCases } from "./thread-cases.ts";
import { threadLossCases } from "./thread-loss-cases.ts";
import { threadPoolCases } from "./thread-pool-cases.ts";
import { tlsCases } from "./tls-cases.ts";
import { transactionCases } from "./transaction-cases.ts";
import { valueCases } from "./value-cases.ts";

export type {
  Break,
  BrokerFacts,
  BrokerHost,
  CaseNeed,
  ConformanceCase,
  Direction,
  GroupedCase,
  ProxyFaults,
  ProxyHandle,
  TlsFacts,
} from "./case.ts";
export { CaseError } from "./expect.ts";
export { Scene } from "./scene.ts";

const defaultTimeout: Millis = 20_000;

/** Of a case that operates the broker: its program for that takes seconds to start on a busy machine. */
const operatedTimeout: Millis = 60_000;

/** Every case, in groups. */
export const cases: readonly GroupedCase[] = Object.entries({
  connecting: connectCases,
  "connecting that fails": connectFailureCases,
  TLS: tlsCases,
  connections: connectionCases,
  observability: observabilityCases,
  channels: channelCases,
  exchanges: exchangeCases,
  queues: queueCases,
  "queue types": queueTypeCases,
  publishing: publishCases,
  confirms: confirmCases,
  publishers: publisherCases,
  getting: getCases,
  consuming: consumeCases,
  iterating: iterateCases,
  "the end of consumers": consumerEndCases,
  settling: settleCases,
  transactions: transactionCases,
  recovery: recoveryCases,
  "remote calls": [...rpcCases, ...rpcServerCases, ...rpcLossCases],
  retries: retryCases,
  threads: [...threadCases, ...threadLossCases, ...threadPoolCases],
  "recovery of publishes": recoveryPublishCases,
  "recovery of requests": recoveryRequestCases,
  "recovery of consumers": recoveryConsumeCases,
  "recovery of topology": recoveryTopologyCases,
  "recovery from failures": recoveryFailureCases,
  values: valueCases,
  "arguments and headers": argumentCases,
  codecs: codecCases,
  faults: faultCases,
} satisfies Record<string, readonly ConformanceCase[]>).flatMap(([group, members]) =>
  members.map((one) => ({ ...one, group })),
);

/**
 * Why a case cannot run here, such as "needs tcp, which chrome has not"; undefined when it can.
 *
 * Only what the adapter's own `capabilities` deny is missing in a runtime; everything else is up to the broker and its host.
 */
export function reasonToSkip(
  { needs = [] }: ConformanceCase,
  { offers }: BrokerFacts,
  { runtime, capabilities }: Pick<IoServices, "runtime" | "capabilities">,
): string | undefined {
  const byAdapter: Partial<Record<CaseNeed, boolean>> = {
    tcp: capabilities.tcp,
    tls: capabilities.tls,
    "client-certificate": capabilities.tls,
  };
  for (const need of needs) {
    if (byAdapter[need] === false) return `needs ${need}, which ${runtime.split(" ", 1)[0]} has not`;
    if (!offers.includes(need)) return `needs ${need}, which the broker has not`;
  }
  return undefined;
}

/** Runs one case, and cleans up behind it. Rejects with what is not as it should be. */
export async function runCase(one: ConformanceCase, host: BrokerHost, io: IoServices): Promise<void> {
  const scene = new Scene(host, io);
  const timeout = one.timeout ?? (one.needs?.includes("operate") === true ? operatedTimeout : defaultTimeout);
  try {
    await scene.soon(one.run(scene), `"${one.name}" to end`, timeout);
  } catch (error) {
    // What went wrong in the case tells more than what its remains do to the cleaning up.
    await scene.leave().catch(() => {});
    throw error;
  }
  await scene.leave();
}
