/** A real RabbitMQ as the host of conformance cases. */

import { readFileSync } from "node:fs";
import { attachRabbitMQ } from "../../../tools/rabbitmq/index.ts";
import type { RabbitMQCoordinates } from "../../../tools/rabbitmq/coordinates.ts";
import type { BrokerHost, CaseNeed, TlsFacts } from "../cases/index.ts";
import { startProxy } from "./proxy-handle.ts";

/** See the file's comment. */
export function rabbitMQHost(coordinates: RabbitMQCoordinates): BrokerHost {
  const node = attachRabbitMQ(coordinates);
  const { version, host, port, username, password, virtualHost } = coordinates;
  const tls = tlsOf(coordinates);
  let isBlocked = false;
  const offers: CaseNeed[] = ["tcp", "proxy", "quorum-queues", "streams"];
  if (coordinates.folder !== undefined) offers.push("operate");
  if (coordinates.managementUrl !== undefined) offers.push("users", "virtual-hosts");
  if (tls !== undefined) offers.push("tls");
  if (tls?.client !== undefined) offers.push("client-certificate");
  return {
    facts: { version, address: { host, port }, host, port, username, password, virtualHost, tls, offers },
    proxy: () => startProxy({ host, port }),
    block: () => {
      isBlocked = true;
      return node.blockMemory();
    },
    unblock: async () => {
      if (isBlocked) await node.unblock();
      isBlocked = false;
    },
    closeConnections: (reason) => node.closeAllConnections(reason),
    addUser: (name, secret) => node.addUser(name, secret),
    deleteUser: (name) => node.deleteUser(name),
    addVirtualHost: (name) => node.addVirtualHost(name),
    deleteVirtualHost: (name) => node.deleteVirtualHost(name),
    stopVirtualHost: (name) => node.stopVirtualHost(name),
    startVirtualHost: (name) => node.startVirtualHost(name),
    restart: () => node.restartApplication(),
  };
}

function tlsOf(coordinates: RabbitMQCoordinates): TlsFacts | undefined {
  const { host, tlsPort, caFile, clientCertFile, clientKeyFile, clientUser } = coordinates;
  if (tlsPort === undefined || caFile === undefined) return undefined;
  const read = (file: string): string => readFileSync(file, "utf8");
  const client =
    clientCertFile === undefined || clientKeyFile === undefined || clientUser === undefined
      ? undefined
      : { cert: read(clientCertFile), key: read(clientKeyFile), user: clientUser };
  return { host, port: tlsPort, ca: read(caFile), client };
}
