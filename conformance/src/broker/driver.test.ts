import { expect, it } from "vitest";
import { Broker } from "./broker.ts";
import { BrokerDriver } from "./driver.ts";
import { World } from "./testing/client.ts";

/** A driver whose timers are counted, and a transport whose end is told as late as a socket's. */
function makeDriver() {
  const timers = new Set<object>();
  const broker = new Broker();
  const driver = new BrokerDriver(broker, {
    now: () => 0,
    setTimer() {
      const timer = {};
      timers.add(timer);
      return () => timers.delete(timer);
    },
  });
  const attach = () =>
    driver.attach({ write: () => true, pause: () => {}, resume: () => {}, end: () => {}, abort: () => {} });
  return { driver, broker, timers, attach };
}

it("sets no timer once it is stopped, whatever comes after", () => {
  const { driver, broker, timers, attach } = makeDriver();
  const first = attach();
  attach();
  expect(timers.size).toBeGreaterThan(0);
  driver.stop();
  expect(timers.size).toBe(0);
  // The second connection is still in its handshake, as far as the broker knows.
  first.closed();
  broker.closeConnections("late");
  driver.pump();
  expect(timers.size).toBe(0);
});

it("waits for what is due in months in steps that every runtime's timers know", () => {
  const world = new World(new Broker());
  const delays: number[] = [];
  let fire = (): void => {};
  const driver = new BrokerDriver(world.broker, {
    now: () => world.now,
    setTimer(delay, callback) {
      delays.push(delay);
      fire = callback;
      return () => {};
    },
  });
  const days = 24 * 3600 * 1000;
  world.client().send(1, "queue.declare", { queue: "q", arguments: { "x-expires": 60 * days } });
  driver.pump();
  for (let step = 0; step < 3; step += 1) {
    expect(world.broker.queue("q")).toBeDefined();
    world.now += delays.at(-1) as number;
    fire();
  }
  expect(world.broker.queue("q")).toBeUndefined();
  expect(delays).toEqual([2 ** 31 - 1, 2 ** 31 - 1, 60 * days - 2 * (2 ** 31 - 1)]);
});

it("goes on with the next transport", () => {
  const { driver, timers, attach } = makeDriver();
  driver.stop();
  attach();
  expect(timers.size).toBeGreaterThan(0);
});
