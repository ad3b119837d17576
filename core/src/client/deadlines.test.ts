import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deadlines } from "./deadlines.ts";
import { VirtualIo } from "./testing/virtual-io.ts";

describe("deadlines", () => {
  it("expire in order of time, once, unless they are cancelled; over one timer", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ delay: fc.nat(100), cancelled: fc.boolean() }), { maxLength: 40 }),
        async (plan) => {
          const io = new VirtualIo();
          const deadlines = new Deadlines(io);
          const expired: number[] = [];
          const start = io.now();
          const started = plan.map(({ delay }) =>
            deadlines.start(delay, {
              expire: () => {
                expect(io.now()).toBe(start + delay);
                expired.push(delay);
              },
            }),
          );
          for (const [i, deadline] of started.entries()) {
            if (!plan[i]!.cancelled) continue;
            deadline.cancel();
            deadline.cancel();
          }
          expect(io.timers).toBeLessThanOrEqual(1);
          await io.advance(200);
          const expected = plan.filter(({ cancelled }) => !cancelled).map(({ delay }) => delay);
          expect(expired).toEqual(expected.sort((a, b) => a - b));
          expect(io.timers).toBe(0);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("may be started and cancelled while others expire", async () => {
    const io = new VirtualIo();
    const deadlines = new Deadlines(io);
    const expired: string[] = [];
    const later = deadlines.start(10, { expire: () => expired.push("cancelled by another") });
    deadlines.start(5, {
      expire: () => {
        expired.push("first");
        later.cancel();
        deadlines.start(0, { expire: () => expired.push("started") });
      },
    });
    await io.advance(50);
    expect(expired).toEqual(["first", "started"]);
  });

  it("leave no timer at the end, once nobody waits for one", async () => {
    const io = new VirtualIo();
    const deadlines = new Deadlines(io);
    const deadline = deadlines.start(5, { expire: () => expect.unreachable() });
    deadlines.end();
    expect(io.timers).toBe(1);
    deadline.cancel();
    expect(io.timers).toBe(0);
  });

  it("still expire after the end for whoever waits", async () => {
    const io = new VirtualIo();
    const deadlines = new Deadlines(io);
    const expired: string[] = [];
    deadlines.start(5, { expire: () => expired.push("drain") });
    deadlines.end();
    await io.advance(50);
    expect(expired).toEqual(["drain"]);
    expect(io.timers).toBe(0);
  });
});
