/** Several nodes that are one cluster, on one machine. */

import { randomBytes } from "node:crypto";
import { startEpmd } from "./boot.ts";
import { addSettings, createFolder, type NodeDescription, removeNode } from "./folder.ts";
import { findInstallation } from "./installation.ts";
import { attachRabbitMQ, bootAndRemember, type RabbitMQNode } from "./node.ts";
import { watch } from "./start.ts";

export interface ClusterOptions {
  /** As for `startRabbitMQ`. Default `"system"`. */
  readonly release?: string;
  /** How many nodes. Default 3. */
  readonly size?: number;
}

/** See {@link startCluster}. */
export interface RabbitMQCluster {
  readonly nodes: readonly RabbitMQNode[];
  /**
   * Cuts one node off from the others: they drop their connections and let one another in no more. Clients still reach
   * all of them; what they ask of quorum queues is not done on the side of the minority.
   */
  isolate(node: RabbitMQNode): Promise<void>;
  /** Ends {@link isolate}. RabbitMQ then restarts one side (autoheal), so that both agree on what there is. */
  rejoin(node: RabbitMQNode): Promise<void>;
  /** Ends all nodes for good, and removes everything they left. */
  stop(): Promise<void>;
}

/** How many seconds a node hears nothing of another one before it takes it for dead. Production has 60. */
const netTickTime = 8;

/**
 * Starts a cluster that heals its partitions by itself. It ends with `stop()`, or
 * when this process ends in whatever way.
 *
 * @throws RabbitMQUnavailableError when the release is not to be had here.
 * @throws RabbitMQFailedError when a node does not boot.
 */
export async function startCluster({ release = "system", size = 3 }: ClusterOptions = {}): Promise<RabbitMQCluster> {
  const installation = await findInstallation(release);
  const cookie = randomBytes(16).toString("hex");
  const erlangArguments = `-kernel net_ticktime ${netTickTime}`;
  const first = await createFolder(installation, false, { cookie, erlangArguments });
  const shared = { cookie, erlangArguments, epmdPort: first.epmdPort };
  const others = Array.from({ length: size - 1 }, () => createFolder(installation, false, shared));
  const members = [first, ...(await Promise.all(others))];
  const folders = members.map(({ coordinates }) => coordinates.folder);
  const dismissWatchdog = watch(folders);
  const remove = async (): Promise<void> => {
    await Promise.all(folders.map((folder) => removeNode(folder)));
    await dismissWatchdog();
  };
  try {
    await Promise.all(members.map((member) => addSettings(member, clusterSettings(members))));
    await startEpmd(first);
    await Promise.all(members.map((member) => bootAndRemember(member)));
  } catch (error) {
    await remove();
    throw error;
  }
  const nodes = members.map(({ coordinates }) => attachRabbitMQ(coordinates));
  const evaluate = async (node: RabbitMQNode, expression: string): Promise<void> => {
    const peers = members.filter(({ coordinates }) => coordinates.folder !== node.folder);
    const names = peers.map(({ nodeName }) => `'${nodeName}'`).join(", ");
    await node.ctl("eval", `lists:foreach(fun(Peer) -> ${expression} end, [${names}]).`);
  };
  return {
    nodes,
    isolate: (node) => evaluate(node, "erlang:set_cookie(Peer, stranger), erlang:disconnect_node(Peer)"),
    rejoin: (node) => evaluate(node, "erlang:set_cookie(Peer, erlang:get_cookie())"),
    stop: remove,
  };
}

function clusterSettings(members: readonly NodeDescription[]): string[] {
  return [
    "cluster_formation.peer_discovery_backend = classic_config",
    ...members.map(({ nodeName }, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${nodeName}`),
    // A node that was paused wakes up in a partition, and nothing but this one gets it out by itself.
    "cluster_partition_handling = autoheal",
  ];
}
