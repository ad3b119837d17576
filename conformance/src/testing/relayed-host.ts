/** A broker, as those see it who have nothing but WebSocket: behind a relay, as are the proxies in front of it. */

import type { ConnectOptions } from "@leveret/core/client";
import { silentLog, startRelay } from "@leveret/websocket/relay";
import type { BrokerHost } from "../cases/index.ts";

/** A host whose relays can be ended. */
export interface RelayedHost extends BrokerHost {
  close(): Promise<void>;
}

interface RelayedAddress {
  readonly address: ConnectOptions;
  close(): Promise<void>;
}

/** Puts a relay in front of a host's broker, and of every proxy that it starts. */
export async function relayedHost(host: BrokerHost): Promise<RelayedHost> {
  const { tls: _, ...facts } = host.facts;
  const front = await relay({ host: facts.host, port: facts.port });
  return {
    ...host,
    facts: { ...facts, address: front.address },
    async proxy() {
      const proxy = await host.proxy();
      const behind = await relay(proxy.address);
      return {
        ...proxy,
        address: behind.address,
        async close() {
          await behind.close();
          await proxy.close();
        },
      };
    },
    close: () => front.close(),
  };
}

async function relay({ host, port }: ConnectOptions): Promise<RelayedAddress> {
  const running = await startRelay({
    listen: "127.0.0.1:0",
    upstream: `amqp://${host}:${port}`,
    origin: "*",
    // Cases open what they like, as fast as they can.
    maxConnectionsPerAddress: 10_000,
    maxUpgradesPerSecond: 10_000,
    log: silentLog,
  });
  return {
    address: { uri: `ws://127.0.0.1:${running.address.port}/` },
    close: () => running.close(),
  };
}
