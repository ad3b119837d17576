import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Client, clients } from "./clients.ts";
import { duration, Progress, type Task } from "./progress.ts";
import { type Workload, workloads } from "./workloads.ts";

const [first, second] = workloads as readonly [Workload, Workload];
const [one, other] = clients as readonly [Client, Client];
const task = (workload: Workload, client: Client, counterpart = "null broker"): Task => ({
  workload,
  client,
  counterpart,
});

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

test("what is left takes as long as what is most alike took", () => {
  let seconds = 0;
  const tasks = [
    task(first, one),
    task(first, one),
    task(first, other),
    task(second, one),
    task(first, one, "RabbitMQ"),
  ];
  const progress = new Progress(tasks, () => seconds * 1000);
  expect(progress.secondsLeft()).toBe(5 * 1.5);
  const run = (takes: number): void => {
    progress.begin();
    seconds += takes;
    progress.end();
  };
  run(10);
  // Three on the same broker, and one that nothing is known of.
  expect(progress.secondsLeft()).toBe(3 * 10 + 1.5);
  run(20);
  expect(progress.secondsLeft()).toBe(2 * 15 + 1.5);
  run(3);
  // Of a workload that was not done, the mean of all.
  expect(progress.secondsLeft()).toBe(11 + 1.5);
  run(1);
  run(1);
  expect(progress.secondsLeft()).toBe(0);
});

test("a time is told in seconds, and from two minutes on in minutes", () => {
  expect(duration(0.2)).toBe("1 s");
  expect(duration(119)).toBe("119 s");
  expect(duration(121)).toBe("3 min");
});
