/** The clock, timers, and the place on the loop. */

import type { Bench } from "./bench.ts";
import type { BenchCase } from "./connect-cases.ts";
import { equal, equalLists, ok } from "./expect.ts";

/** Turns after which a task gives up: without this one that starves everything would never be told. */
const mostTurns = 5_000_000;

/** Runs a task that posts itself again and again; stopping it fails if it went through all its turns before. */
function repost({ io }: Bench): { stop(): void } {
  let turns = 0;
  let going = true;
  const again = (): void => {
    turns += 1;
    if (going && turns < mostTurns) io.post(again);
  };
  io.post(again);
  return {
    stop: () => {
      going = false;
      ok(turns > 1 && turns < mostTurns, `the task ran again and again, and others in between: ${turns} turns`);
    },
  };
}

export const loopCases: readonly BenchCase[] = [
  {
    name: "the clock never goes back",
    needs: [],
    async run({ io }) {
      let last = io.now();
      ok(Number.isFinite(last), "the time is a number");
      for (let count = 0; count < 100_000; count += 1) {
        const now = io.now();
        ok(now >= last, "the time went back");
        last = now;
      }
    },
  },
  {
    name: "random numbers are from 0 to 1, and differ",
    needs: [],
    async run({ io }) {
      const numbers = Array.from({ length: 1_000 }, () => io.random());
      ok(
        numbers.every((number) => number >= 0 && number < 1),
        "in range",
      );
      ok(new Set(numbers).size > 900, "different");
    },
  },
  {
    name: "a timer is never early, and never inline",
    needs: [],
    async run({ io }) {
      const delays = [0, 0.4, 1, 1.5, 2, 5, 10.9, 20, 33, 50];
      const rounds = Array.from({ length: 5 }, () => delays).flat();
      await Promise.all(
        rounds.map(async (delay) => {
          const start = io.now();
          let inline = true;
          let firedInline = false;
          await new Promise<void>((resolve) => {
            io.setTimer(delay, () => {
              firedInline = inline;
              resolve();
            });
            inline = false;
          });
          ok(!firedInline, "the timer did not fire inline");
          const elapsed = io.now() - start;
          ok(elapsed >= delay, `a timer of ${delay} ms fired after ${elapsed} ms`);
        }),
      );
    },
  },
  {
    name: "timers fire in the order of their deadlines, not of their making",
    needs: [],
    async run(bench) {
      const fired: number[] = [];
      const delays = [60, 20, 100, 40, 80];
      const { io } = bench;
      const set = () => delays.map((delay) => io.setTimer(delay, () => void fired.push(delay)));
      // Once more where this process had no time in between: their deadlines are in another order then.
      for (let from = io.now(), cancels = set(); io.now() - from > 10; from = io.now(), cancels = set()) {
        for (const cancel of cancels) cancel();
      }
      await bench.until(() => fired.length === delays.length, "all timers");
      equalLists(fired, [20, 40, 60, 80, 100], "the order");
    },
  },
  {
    name: "timers with one deadline fire each for itself",
    needs: [],
    async run(bench) {
      const fired = new Set<number>();
      for (let index = 0; index < 20; index += 1) bench.io.setTimer(10, () => void fired.add(index));
      await bench.until(() => fired.size === 20, "all timers");
    },
  },
  {
    name: "a timer that was cancelled never fires, however often it was",
    needs: [],
    async run(bench) {
      let fired = 0;
      const cancel = bench.io.setTimer(5, () => void (fired += 1));
      equal(cancel(), undefined, "what cancelling returns");
      cancel();
      await bench.delay(20);
      cancel();
      equal(fired, 0, "calls");
    },
  },
  {
    name: "a timer may be cancelled in its own call, twice, and after it",
    needs: [],
    async run(bench) {
      let fired = 0;
      const cancel = bench.io.setTimer(1, () => {
        fired += 1;
        cancel();
        cancel();
      });
      await bench.until(() => fired > 0, "the timer");
      cancel();
      await bench.delay(10);
      equal(fired, 1, "calls");
    },
  },
  {
    name: "a timer may cancel another that is due as well",
    needs: [],
    async run(bench) {
      const fired: string[] = [];
      const cancels: (() => void)[] = [];
      // Both are due when the loop is free again: whichever comes first cancels the other.
      for (const [index, name] of ["a", "b"].entries()) {
        cancels.push(
          bench.io.setTimer(2, () => {
            fired.push(name);
            cancels[1 - index]?.();
          }),
        );
      }
      const busyUntil = bench.io.now() + 10;
      while (bench.io.now() < busyUntil);
      await bench.delay(20);
      equal(fired.length, 1, "timers that fired");
    },
  },
  {
    name: "a timer may be set in a timer's call",
    needs: [],
    async run(bench) {
      let left = 10;
      const again = (): void => {
        left -= 1;
        if (left > 0) bench.io.setTimer(0, again);
      };
      bench.io.setTimer(0, again);
      await bench.until(() => left === 0, "ten timers in a row");
    },
  },
  {
    name: "a delay beyond 2^31 ms is not a short one, and a negative one is due",
    needs: [],
    async run(bench) {
      const fired: string[] = [];
      const cancels = [2 ** 31, 2 ** 32 + 5, 1e15].map((delay) =>
        bench.io.setTimer(delay, () => void fired.push("late")),
      );
      bench.io.setTimer(-5, () => void fired.push("due"));
      await bench.until(() => fired.length > 0, "the timer that is due");
      await bench.delay(30);
      for (const cancel of cancels) cancel();
      equalLists(fired, ["due"], "timers that fired");
    },
  },
  {
    name: "posted tasks run in order, and never inline",
    needs: [],
    async run({ io }) {
      const ran: number[] = [];
      await new Promise<void>((resolve) => {
        for (let index = 0; index < 100; index += 1) io.post(() => void ran.push(index));
        io.post(resolve);
        equal(ran.length, 0, "tasks that ran inline");
      });
      equalLists(
        ran,
        Array.from({ length: 100 }, (_, index) => index),
        "the order",
      );
    },
  },
  {
    name: "a posted task runs after the microtasks of the turn",
    needs: [],
    async run({ io }) {
      const ran: string[] = [];
      await new Promise<void>((resolve) => {
        io.post(() => {
          ran.push("task");
          resolve();
        });
        let hops = 0;
        const hop = (): void => {
          hops += 1;
          if (hops < 50) queueMicrotask(hop);
          else ran.push("microtasks");
        };
        queueMicrotask(hop);
      });
      equalLists(ran, ["microtasks", "task"], "the order");
    },
  },
  {
    name: "what is to run after the microtasks does so in order, never inline, and before what was posted where it can",
    needs: [],
    async run({ io }) {
      const atOnce = io.afterMicrotasks !== undefined;
      const later = (task: () => void): void => (atOnce ? io.afterMicrotasks?.(task) : io.post(task));
      const ran: string[] = [];
      await new Promise<void>((resolve) => {
        io.post(() => {
          io.post(() => {
            ran.push("posted");
            io.post(resolve);
          });
          later(() => void ran.push("first"));
          let hops = 0;
          const hop = (): void => {
            hops += 1;
            if (hops === 25) later(() => void ran.push("second"));
            if (hops < 50) queueMicrotask(hop);
            else ran.push("microtasks");
          };
          queueMicrotask(hop);
          equal(ran.length, 0, "tasks that ran inline");
        });
      });
      const order = atOnce ? ["first", "second", "posted"] : ["posted", "first", "second"];
      equalLists(ran, ["microtasks", ...order], "the order");
    },
  },
  {
    name: "a task that posts itself again starves neither timers nor tasks",
    needs: [],
    async run(bench) {
      const task = repost(bench);
      await bench.delay(20);
      await new Promise<void>((resolve) => bench.io.post(resolve));
      task.stop();
    },
  },
  {
    name: "a task that posts itself again does not starve streams",
    needs: ["tcp"],
    async run(bench) {
      const { endpoint } = await bench.listen({ transport: "tcp", script: [{ do: "echo" }] });
      const task = repost(bench);
      const probe = await bench.open(endpoint);
      for (let round = 1; round <= 20; round += 1) {
        probe.writePattern(1_000);
        await probe.until(() => probe.received === round * 1_000, "the echo");
      }
      task.stop();
    },
  },
  {
    name: "the runtime has a name",
    needs: [],
    async run({ io }) {
      ok(/^\S+ \S+/.test(io.runtime), `a name and a version, such as "node 24.21.0": ${io.runtime}`);
    },
  },
];
