/** The embedded broker as the host of conformance cases. */

import { Broker, type ProfileName } from "../broker/index.ts";
import { type ListeningBroker, listenBroker } from "../broker/node/index.ts";
import type { BrokerHost } from "../cases/index.ts";
import { startProxy } from "./proxy-handle.ts";

/** A broker that listens, and how to end it. */
export interface EmbeddedHost extends BrokerHost {
  close(): Promise<void>;
}

/** Starts a broker that plays a version of RabbitMQ. */
export async function startEmbedded(profile: ProfileName): Promise<EmbeddedHost> {
  const broker = new Broker({ profile });
  const listening = await listenBroker(broker, { port: 0 });
  const { host, port } = listening;
  return {
    facts: {
      version: broker.profile.version,
      address: { host, port },
      host,
      port,
      username: "guest",
      password: "guest",
      virtualHost: "/",
      offers: ["tcp", "proxy", "operate", "users", "virtual-hosts", "quorum-queues", "streams"],
    },
    proxy: () => startProxy({ host, port }),
    block: () => order(listening, () => broker.block()),
    unblock: () => order(listening, () => broker.unblock()),
    closeConnections: (reason) => order(listening, () => broker.closeConnections(reason)),
    addUser: async (name, password) => broker.addUser(name, { password }),
    deleteUser: (name) => order(listening, () => broker.deleteUser(name)),
    addVirtualHost: async (name) => broker.addVirtualHost(name),
    deleteVirtualHost: (name) => order(listening, () => broker.deleteVirtualHost(name)),
    stopVirtualHost: (name) => order(listening, () => broker.stopVirtualHost(name)),
    startVirtualHost: async (name) => broker.startVirtualHost(name),
    restart: () => order(listening, () => broker.restart()),
    close: () => listening.close(),
  };
}

async function order(listening: ListeningBroker, give: () => void): Promise<void> {
  give();
  listening.flush();
}
