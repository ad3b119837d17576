import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../tools/lib/process.ts";
import { can } from "./abilities.ts";
import type { Assignment } from "./assignment.ts";
import { clients, commandOf, isJavaScript } from "./clients.ts";
import { type Counterpart, startNullBroker } from "./counterparts.ts";
import { missingFor } from "./foreign.ts";
import { cycle, deliveryQueue } from "./messages.ts";
import { paces } from "./pace.ts";
import { measureAll } from "./rounds.ts";
import { workloads } from "./workloads.ts";

const operations = 10 * cycle;
const small = workloads.flatMap((workload) =>
  "work" in workload && workload.work.shape.size <= 1024 ? [{ ...workload, slice: operations }] : [],
);

let broker: Counterpart;
beforeAll(async () => {
  broker = await startNullBroker();
});
afterAll(() => broker.stop());

describe.each(clients.filter((client) => !isJavaScript(client)))("$name", (client) => {
  test("does the work, and checks it", async (context) => {
    const missing = await missingFor(client);
    if (missing !== undefined) return context.skip(`needs ${missing}`);
    const pace = { ...paces.quick, warmUp: 0, measure: 0 };
    const plan = { clients: [client], workloads: small, sources: true, nodeOptions: [], pace };
    const { cells, failures } = await measureAll(plan, broker);
    expect(failures).toEqual([]);
    const able = small.filter((workload) => can(client, workload, true));
    expect(cells.map(({ workload }) => workload)).toEqual(able.map(({ name }) => name));
    for (const { cpu, latency, workload } of cells) {
      expect(cpu?.median).toBeGreaterThanOrEqual(0);
      if (workload.includes("one by one")) expect(latency?.p50.median).toBeGreaterThan(0);
    }
  });

  test("refuses messages that are not those that are to come", async (context) => {
    const missing = await missingFor(client);
    if (missing !== undefined) return context.skip(`needs ${missing}`);
    const asked = { size: 16, rich: false };
    const given = deliveryQueue({ size: 32, rich: false }, operations);
    const { port } = await broker.prepare(small[0]!, { warmUp: 1, measure: 0 });
    const assignment: Assignment = {
      driver: client.driver,
      task: { work: { kind: "consume", shape: asked, by: "handler" }, slice: operations },
      broker: { kind: "rabbitmq", port, queues: [given, given] },
      warmUp: 0,
      measure: 0,
      slices: { warmUp: 1, measure: 1 },
    };
    const { program, args } = commandOf(client, true, []);
    const { code, output } = await run(program, [...args, JSON.stringify(assignment)]);
    expect(output).toContain("message 0 is not the one that was sent");
    expect(code).toBe(1);
  });
});
