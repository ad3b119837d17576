import { expect, test } from "vitest";
import { type Cell, spread } from "./results.ts";
import { tallies, verdicts } from "./verdicts.ts";
import { workloads } from "./workloads.ts";

const small = { counterpart: "null broker", workload: "publish 16 B", rounds: 1 };

function cell(client: string, runtime: string, role: Cell["role"], microseconds: number, about = small): Cell {
  return { ...about, client, runtime, role, cpu: spread([microseconds]), rate: spread([1e6 / microseconds]) };
}

test("Leveret is compared with the best library on the same runtime, not with limits or other languages", () => {
  const cells = [
    cell("leveret", "node", "ours", 2),
    cell("amqplib", "node", "peer", 30),
    cell("cloudamqp", "node", "peer", 22),
    cell("hand-written", "node", "limit", 1),
    cell("librabbitmq", "c", "peer", 4),
  ];
  expect(verdicts(cells, workloads)).toEqual([
    {
      counterpart: "null broker",
      workload: "publish 16 B",
      of: "cpu",
      ours: 2,
      best: { client: "cloudamqp", value: 22 },
      ratio: 11,
      goal: 10,
      passed: true,
      limits: [{ client: "hand-written", value: 1, ratio: 22 }],
      ofLimit: { times: 2, goal: 2, passed: true },
    },
  ]);
});

test("small messages are to cost at most twice what the hand-written client's do, large ones need not", () => {
  const large = { ...small, workload: "publish 64 KiB" };
  const cells = [
    cell("leveret", "node", "ours", 2.1),
    cell("amqplib", "node", "peer", 30),
    cell("hand-written", "node", "limit", 1),
    cell("leveret", "node", "ours", 30, large),
    cell("amqplib", "node", "peer", 40, large),
    cell("hand-written", "node", "limit", 10, large),
  ];
  const found = verdicts(cells, workloads).map(({ ofLimit }) => ofLimit);
  expect(found).toEqual([{ times: 2.1, goal: 2, passed: false }, { times: 3 }]);
});

test("on other runtimes the hand-written client is a measure, and no goal", () => {
  const cells = [
    cell("leveret on bun", "bun", "ours", 3),
    cell("amqplib on bun", "bun", "peer", 30),
    cell("hand-written on bun", "bun", "limit", 1),
  ];
  const [found] = verdicts(cells, workloads);
  expect(found?.limits).toEqual([{ client: "hand-written", value: 1, ratio: 30 }]);
  expect(found?.ofLimit).toEqual({ times: 3 });
});

test("on RabbitMQ as much is to get through as the best other gets, within noise, at no more CPU time", () => {
  const real = { ...small, counterpart: "RabbitMQ 4.0" };
  const slow = { ...cell("leveret", "node", "ours", 2, real), rate: spread([94]) };
  const equal = { ...slow, rate: spread([96]) };
  const peer = { ...cell("amqplib", "node", "peer", 3, real), rate: spread([100]) };
  const passed = (ours: Cell) => verdicts([ours, peer], workloads).map((verdict) => [verdict.of, verdict.passed]);
  expect(passed(slow)).toEqual([
    ["rate", false],
    ["cpu", true],
  ]);
  expect(passed(equal)).toEqual([
    ["rate", true],
    ["cpu", true],
  ]);
  expect(passed({ ...equal, cpu: spread([4]) })).toEqual([
    ["rate", true],
    ["cpu", false],
  ]);
});

test("goals are counted by their kind", () => {
  const real = { ...small, counterpart: "RabbitMQ 4.0" };
  const cells = [
    cell("leveret", "node", "ours", 2.1),
    cell("amqplib", "node", "peer", 30),
    cell("hand-written", "node", "limit", 1),
    cell("leveret on bun", "bun", "ours", 10),
    cell("amqplib on bun", "bun", "peer", 30),
    cell("leveret", "node", "ours", 2, real),
    cell("amqplib", "node", "peer", 30, real),
  ];
  const point = { at: 1, cpu: spread([1]) };
  const curve = { name: "channels", points: [point], growth: 1, passed: true };
  expect(tallies(verdicts(cells, workloads), [curve])).toEqual([
    { name: "beside the best other JavaScript client, on Node", reached: 1, of: 1 },
    { name: "the same on Deno and Bun", reached: 0, of: 1 },
    { name: "within 2 times the hand-written client", reached: 0, of: 1 },
    { name: "flat curves", reached: 1, of: 1 },
    { name: "throughput on RabbitMQ", reached: 1, of: 1 },
    { name: "CPU time on RabbitMQ", reached: 1, of: 1 },
  ]);
});
