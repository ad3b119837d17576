/**
 * The client in a page of the browser: starts a relay in its demo mode, and says where to look. `npm run demo:browser`.
 *
 * It uses the broker of `AMQP_URL` (its host and port; the page asks for the user), else the embedded broker, and runs
 * until it is interrupted.
 */

import { Broker } from "@leveret/conformance/broker";
import { listenBroker } from "@leveret/conformance/broker/node";
import { startRelay } from "@leveret/websocket/relay";

async function findBroker(): Promise<{ upstream: string; close: () => Promise<void> }> {
  const url = process.env.AMQP_URL ?? "";
  if (url !== "") {
    const { protocol, host } = new URL(url);
    return { upstream: `${protocol}//${host}`, close: async () => {} };
  }
  const listening = await listenBroker(new Broker({ random: Math.random }), { port: 0 });
  return { upstream: listening.url, close: () => listening.close() };
}

const broker = await findBroker();
const relay = await startRelay({ upstream: broker.upstream, demo: true, logLevel: "warn" });
console.log(`open http://localhost:${relay.address.port}/ (the broker is at ${broker.upstream}; Ctrl+C ends it)`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void relay.close().then(() => broker.close()));
}
