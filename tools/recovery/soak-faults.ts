/** What is done to the connections of a soak, and to their broker, by chance that a seed decides. */

import { setTimeout as delay } from "node:timers/promises";
import type { FaultProxy } from "../../conformance/src/testing/fault-proxy.ts";
import type { RabbitMQNode } from "../rabbitmq/index.ts";

/** What a fault is done to. */
export interface Victim {
  readonly proxy: FaultProxy;
  readonly node: RabbitMQNode;
  readonly random: () => number;
}

interface Fault {
  readonly weight: number;
  /** Does it. Resolves when it is undone, though clients may not have recovered. */
  inflict(victim: Victim): Promise<void>;
}

/** By name. Each lasts for seconds at most: a soak is about many outages, and not about long ones. */
const faults: Readonly<Record<string, Fault>> = {
  cut: { weight: 6, inflict: async ({ proxy }) => proxy.break("cut") },
  reset: { weight: 6, inflict: async ({ proxy }) => proxy.break("reset") },
  "silence for good": { weight: 2, inflict: async ({ proxy }) => proxy.break("silence") },
  "silence for a while": {
    weight: 3,
    inflict: async ({ proxy, random }) => {
      proxy.silence("to-server");
      if (random() < 0.5) proxy.silence("to-client");
      await delay(random() * 6_000);
      proxy.speak();
    },
  },
  "a byte at a time": {
    weight: 3,
    inflict: ({ proxy, random }) =>
      healed(proxy, async () => {
        proxy.inflict({ oneByteAtATime: true });
        await delay(random() * 5_000);
      }),
  },
  delay: {
    weight: 2,
    inflict: ({ proxy, random }) =>
      healed(proxy, async () => {
        proxy.inflict({ delay: random() * 500 });
        await delay(random() * 5_000);
      }),
  },
  "a cut in each new connection": {
    weight: 4,
    inflict: ({ proxy, random }) =>
      healed(proxy, async () => {
        const direction = random() < 0.5 ? "to-server" : "to-client";
        proxy.inflict({ breakAfter: { direction, bytes: Math.floor(random() * 3_000), how: "reset" } });
        proxy.break("cut");
        await delay(1_000 + random() * 4_000);
      }),
  },
  "a closed port": {
    weight: 2,
    inflict: async ({ proxy, random }) => {
      proxy.refuse();
      proxy.break("cut");
      await delay(random() * 4_000);
      await proxy.admit();
    },
  },
  "a close of all connections": { weight: 3, inflict: ({ node }) => node.closeAllConnections("soak") },
  "a memory alarm": {
    weight: 2,
    inflict: async ({ node, proxy, random }) => {
      await node.blockMemory();
      if (random() < 0.5) proxy.break("cut");
      await delay(random() * 4_000);
      await node.unblock();
    },
  },
  "a pause": {
    weight: 1,
    inflict: async ({ node, random }) => {
      node.pause();
      await delay(random() * 8_000);
      node.resume();
    },
  },
  "a restart": { weight: 1, inflict: ({ node }) => node.restart() },
  "a kill": {
    weight: 1,
    inflict: async ({ node }) => {
      await node.kill();
      await node.restart();
    },
  },
};

/** The name of the next fault. */
export function chooseFault(random: () => number): string {
  const entries = Object.entries(faults);
  let at = random() * entries.reduce((sum, [, { weight }]) => sum + weight, 0);
  for (const [name, { weight }] of entries) {
    at -= weight;
    if (at < 0) return name;
  }
  return "cut";
}

export function inflict(name: string, victim: Victim): Promise<void> {
  return (faults[name] as Fault).inflict(victim);
}

async function healed(proxy: FaultProxy, fault: () => Promise<void>): Promise<void> {
  try {
    await fault();
  } finally {
    proxy.inflict({});
  }
}
