import { expect, test } from "vitest";
import { type Client, clients } from "./clients.ts";
import { type Pace, paces, runsOf } from "./pace.ts";
import { type Workload, workloads } from "./workloads.ts";

const client = (name: string): Client => clients.find((each) => each.name === name)!;
const workload = (name: string): Workload => workloads.find((each) => each.name === name)!;
const [leveret, amqplib, pika] = [client("leveret"), client("amqplib"), client("pika")];
const publish = workload("publish 16 B");
const pace: Pace = {
  ...paces.brief,
  rounds: 3,
  curveRounds: 2,
  elsewhereRounds: 2,
  foreignRounds: 1,
  allocations: false,
};

test("clients that are compared take turns, and each is the first in turn", () => {
  const runs = runsOf([{ workload: publish, clients: [leveret, amqplib] }], pace, true);
  expect(runs.map((run) => run.client.name)).toEqual([
    ...["leveret", "amqplib"],
    ...["amqplib", "leveret"],
    ...["leveret", "amqplib"],
  ]);
});

test("what no goal hangs on has fewer rounds, and none has more than are wanted", () => {
  const curve = workload("unconfirmed messages: 100");
  const comparisons = [
    { workload: publish, clients: [leveret, pika, client("leveret on bun")] },
    { workload: curve, clients: [leveret] },
  ];
  const count = (wanted: Pace, of: Workload, by: Client, onNullBroker = true): number =>
    runsOf(comparisons, wanted, onNullBroker).filter((run) => run.workload === of && run.client === by).length;
  expect(count(pace, publish, leveret)).toBe(3);
  expect(count(pace, publish, pika)).toBe(1);
  expect(count(pace, publish, client("leveret on bun"))).toBe(2);
  expect(count(pace, curve, leveret)).toBe(2);
  expect(count({ ...pace, realRounds: 2 }, publish, leveret, false)).toBe(2);
  expect(count({ ...pace, rounds: 1 }, curve, leveret)).toBe(1);
});

test("allocations are counted in a last round, on Node and on the null broker", () => {
  const comparisons = [{ workload: publish, clients: [leveret, pika, client("leveret on bun")] }];
  const counting = { ...pace, allocations: true };
  const last = runsOf(comparisons, counting, true).filter(({ countsAllocations }) => countsAllocations);
  expect(last.map((run) => run.client.name)).toEqual(["leveret"]);
  expect(runsOf(comparisons, counting, false).some(({ countsAllocations }) => countsAllocations)).toBe(false);
});
