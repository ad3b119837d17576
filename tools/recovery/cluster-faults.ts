/** What is done to a cluster, by chance that a seed decides. Each fault is over when all nodes are one cluster again. */

import { setTimeout as delay } from "node:timers/promises";
import type { RabbitMQCluster, RabbitMQNode } from "../rabbitmq/index.ts";
import { poll } from "../rabbitmq/poll.ts";

export type FaultName = "kill" | "pause" | "partition" | "restart";

/** One fault: what, to which nodes, for how long. */
export interface Fault {
  readonly name: FaultName;
  readonly nodes: readonly number[];
  /** Milliseconds until nodes are started, resumed or let in again. */
  readonly lasts: number;
}

interface Kind {
  readonly name: FaultName;
  /** Nodes at a time. */
  readonly count: number;
  readonly weight: number;
  readonly shortest: number;
  readonly longest: number;
}

/** Two nodes of three are the majority: without them nothing is confirmed. */
const kinds: readonly Kind[] = [
  { name: "kill", count: 1, weight: 9, shortest: 0, longest: 5_000 },
  { name: "kill", count: 2, weight: 3, shortest: 0, longest: 4_000 },
  { name: "kill", count: 3, weight: 1, shortest: 0, longest: 3_000 },
  // Clients take a node for dead after 8 s, and so do nodes. These then restart it, which may take them a minute.
  { name: "pause", count: 1, weight: 3, shortest: 1_000, longest: 6_000 },
  { name: "pause", count: 1, weight: 1, shortest: 9_000, longest: 12_000 },
  { name: "pause", count: 3, weight: 1, shortest: 1_000, longest: 10_000 },
  { name: "partition", count: 1, weight: 3, shortest: 2_000, longest: 12_000 },
  { name: "restart", count: 1, weight: 2, shortest: 0, longest: 0 },
];

/** The next fault. `random` gives numbers from 0 to 1. */
export function chooseFault(random: () => number, size: number): Fault {
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0);
  let at = random() * total;
  const kind = kinds.find(({ weight }) => (at -= weight) < 0) ?? (kinds[0] as Kind);
  const nodes = Array.from({ length: size }, (_, index) => index);
  while (nodes.length > kind.count) nodes.splice(Math.floor(random() * nodes.length), 1);
  return { name: kind.name, nodes, lasts: Math.round(kind.shortest + random() * (kind.longest - kind.shortest)) };
}

/** Does it, and undoes it. */
export async function inflict(cluster: RabbitMQCluster, fault: Fault): Promise<void> {
  const nodes = fault.nodes.map((index) => cluster.nodes[index] as RabbitMQNode);
  const each = (act: (node: RabbitMQNode) => Promise<void>): Promise<unknown> => Promise.all(nodes.map(act));
  switch (fault.name) {
    case "kill":
      await each((node) => node.kill());
      await delay(fault.lasts);
      await each((node) => node.restart());
      return;
    case "restart":
      await each((node) => node.restart());
      return;
    case "pause":
      for (const node of nodes) node.pause();
      await delay(fault.lasts);
      for (const node of nodes) node.resume();
      return;
    case "partition":
      await each((node) => cluster.isolate(node));
      await delay(fault.lasts);
      await each((node) => cluster.rejoin(node));
      return;
  }
}

/**
 * Resolves when every node sees all others run, and the quorum queues have all their members: without one of them the
 * next fault would take the majority.
 */
export async function healthy(cluster: RabbitMQCluster, queues: readonly string[], within: number): Promise<void> {
  const { nodes } = cluster;
  const sees = async (node: RabbitMQNode): Promise<boolean> => {
    const seen = (await node.management("GET", "nodes").catch(() => [])) as readonly { readonly running: boolean }[];
    return seen.length === nodes.length && seen.every(({ running }) => running);
  };
  await poll(async () => ((await Promise.all(nodes.map(sees))).every(Boolean) ? true : undefined), {
    within,
    every: 250,
    late: () => new Error(`the nodes are not one cluster again after ${within / 1000} s`),
  });
  let states: readonly string[] = [];
  await poll(
    async () => {
      states = (await Promise.all(nodes.map((node) => memberStates(node, queues)))).flat();
      return states.every((state) => /: (leader|follower)$/.test(state)) ? true : undefined;
    },
    {
      within,
      every: 2_000,
      late: () => new Error(`RabbitMQ's queues are not whole again after ${within / 1000} s: ${states.join(", ")}`),
    },
  );
}

/** What the members on one node of quorum queues are, in the words of RabbitMQ's Raft: `QUEUE at NODE: follower`. */
async function memberStates(node: RabbitMQNode, queues: readonly string[]): Promise<string[]> {
  const names = queues.map((queue) => `'%2F_${queue}'`).join(", ");
  const ask = `[maps:get(state, ra:key_metrics({Name, node()}), none) || Name <- [${names}]].`;
  const answer = await node.ctl("eval", ask).catch((error: unknown) => String(error));
  const states = answer.match(/\w+/g) ?? [];
  return queues.map((queue, index) => `${queue} at ${node.port}: ${states[index] ?? answer}`);
}
