import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RabbitMQCluster, type RabbitMQNode, startCluster } from "./index.ts";
import { poll } from "./poll.ts";

const release = process.env.RABBITMQ_RELEASE || "system";

describe("a cluster", () => {
  let cluster: RabbitMQCluster;

  beforeAll(async () => {
    cluster = await startCluster({ release, size: 2 });
  }, 300_000);

  afterAll(() => cluster.stop());

  const running = async (node: RabbitMQNode): Promise<number> => {
    const nodes = (await node.management("GET", "nodes").catch(() => [])) as readonly { readonly running: boolean }[];
    return nodes.filter(({ running: isRunning }) => isRunning).length;
  };
  const allSee = async (count: number): Promise<void> => {
    const seen = (): Promise<number[]> => Promise.all(cluster.nodes.map(running));
    await poll(async () => ((await seen()).every((nodes) => nodes === count) ? true : undefined), {
      within: 90_000,
      every: 200,
      late: () => new Error(`not all see ${count} nodes`),
    });
  };

  it("is one, and has what one of its nodes was told", async () => {
    await allSee(2);
    await cluster.nodes[0]?.management("PUT", "queues/%2F/everywhere", { durable: true });
    await expect(cluster.nodes[1]?.management("GET", "queues/%2F/everywhere")).resolves.toBeDefined();
  });

  it("comes apart when a node is isolated, and is one again when it is let in", { timeout: 200_000 }, async () => {
    const [node] = cluster.nodes as [RabbitMQNode];
    await cluster.isolate(node);
    await allSee(1);
    expect(await running(node)).toBe(1);
    await cluster.rejoin(node);
    await allSee(2);
    expect(await running(node)).toBe(2);
  });

  it("takes a node back that was killed", { timeout: 100_000 }, async () => {
    const [node] = cluster.nodes as [RabbitMQNode];
    await node.kill();
    await node.restart();
    await allSee(2);
    await expect(node.management("GET", "queues/%2F/everywhere")).resolves.toBeDefined();
  });
});
