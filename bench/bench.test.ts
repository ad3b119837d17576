import { connect } from "@leveret/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clients, type Client } from "./clients.ts";
import { type Counterpart, startNullBroker } from "./counterparts.ts";
import type { Driver } from "./drivers/driver.ts";
import { can } from "./abilities.ts";
import { cycle, exchange, Inspector, bodiesOf, routingKey } from "./messages.ts";
import { paces } from "./pace.ts";
import { pageOf } from "./page.ts";
import { type Cell, curves, spread } from "./results.ts";
import { measureAll } from "./rounds.ts";
import { brokerOf, prepare } from "./slices.ts";
import { verdicts } from "./verdicts.ts";
import { type TimedWorkload, type Workload, workloads } from "./workloads.ts";

/** Larger bodies take long, and go the same way. */
const large = 65_536;
const operations = 10 * cycle;
const slices = { warmUp: 1, measure: 1 };
const timed = workloads.filter(
  (workload): workload is TimedWorkload =>
    "work" in workload && workload.growth === undefined && workload.work.shape.size <= large,
);
const onNode = clients.filter(({ runtime }) => runtime === "node");

let broker: Counterpart;
beforeAll(async () => {
  broker = await startNullBroker();
});
afterAll(() => broker.stop());

/** Two slices, each of which checks what it did. */
async function tryOut({ driver: name }: Client, workload: TimedWorkload): Promise<void> {
  const { driver } = (await import(`./drivers/${name}.ts`)) as { driver: Driver };
  const { work, slice: count } = workload;
  const coordinates = await broker.prepare(workload, slices);
  const task = { work, slice: count };
  const assignment = { driver: name, task, broker: coordinates, warmUp: 0, measure: 0 };
  const { slice, close } = await prepare(driver, brokerOf(assignment), work, () => {});
  const few = work.kind === "connect" ? 1 : work.shape.size === large ? cycle : operations;
  await slice(few);
  await slice(few);
  await close();
}

describe.each(onNode)("$name", (client) => {
  test.each(timed.filter((workload) => can(client, workload, true)))("does the work: $name", async (workload) => {
    await expect(tryOut(client, workload)).resolves.toBeUndefined();
  });
});

test("a run in fresh processes gives figures, verdicts and a page", async () => {
  const workload: Workload = { ...timed[0]!, slice: operations };
  const compared = onNode.filter(({ name }) => name === "leveret" || name === "amqplib");
  const pace = { ...paces.quick, warmUp: 0, measure: 0 };
  const plan = { clients: compared, workloads: [workload], sources: true, nodeOptions: [], pace };
  const { cells, failures } = await measureAll(plan, broker);
  expect(failures).toEqual([]);
  expect(cells.map(({ client }) => client)).toEqual(["leveret", "amqplib"]);
  for (const { cpu } of cells) expect(cpu?.median).toBeGreaterThan(0);
  const found = verdicts(cells, [workload]);
  expect(found).toHaveLength(1);
  const page = await pageOf({
    about: {},
    pace,
    cells,
    verdicts: found,
    curves: [],
    tallies: [],
  });
  expect(page).toContain("publish 16 B");
  expect(page).not.toMatch(/\/\* \w+ \*\//);
});

test("a run that is ended early gives what it has", async () => {
  const stop = new AbortController();
  const once = { ...broker, verify: async () => stop.abort() };
  const pace = { ...paces.quick, warmUp: 0, measure: 0 };
  const compared = onNode.filter(({ name }) => name === "hand-written" || name === "bare socket");
  const plan = { clients: compared, workloads: [{ ...timed[0]!, slice: operations }], sources: true, nodeOptions: [] };
  const { cells, failures } = await measureAll({ ...plan, pace, signal: stop.signal }, once);
  expect(cells.map(({ client }) => client)).toEqual(["hand-written"]);
  expect(failures).toEqual([]);
});

test("the null broker ends a connection that publishes out of order", async () => {
  const { port } = await broker.prepare(timed[0]!, slices);
  const connection = await connect({ port, host: "127.0.0.1", recovery: false });
  const channel = await connection.openChannel();
  await channel.basicPublish({ exchange, routingKey, body: bodiesOf(16)[1]! });
  const closed = await connection.closed;
  expect(closed?.message).toMatch(/message 0 of channel 1 is not the one that is next/);
});

test("a message that is not the next one is noticed", () => {
  const inspector = new Inspector(16);
  const bodies = bodiesOf(16);
  inspector.inspect(bodies[0]!);
  expect(() => inspector.inspect(bodies[2]!)).toThrow(/not the one/);
  expect(() => inspector.inspect(bodies[1]!.subarray(1))).toThrow(/not the one/);
});

test("a curve that rises at its far end is not flat", () => {
  const points = workloads.filter(({ growth }) => growth?.curve === "unconfirmed messages");
  const cellsOf = (costs: readonly number[]): Cell[] =>
    points.map(({ name }, index) => ({
      counterpart: "null broker",
      workload: name,
      client: "leveret",
      runtime: "node",
      role: "ours",
      rounds: 1,
      cpu: spread([costs[index]!]),
    }));
  expect(curves(cellsOf([20, 2, 1, 0.5, 0.6]), workloads)[0]?.passed).toBe(true);
  expect(curves(cellsOf([20, 2, 1, 0.5, 5]), workloads)[0]?.passed).toBe(false);
});

test("a spread is the middle and the ends", () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
  expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, least: 1, most: 4 });
});
