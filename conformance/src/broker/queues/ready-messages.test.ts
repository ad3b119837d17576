import { encodeProperties } from "@leveret/core/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Properties } from "../codec/properties.ts";
import { Message } from "../message.ts";
import type { QueueEntry } from "./entry.ts";
import { oneLane, priorityLanes, quorumTwoLanes, ReadyMessages } from "./ready-messages.ts";

function entry(position: number, priority = 0, expiresAt?: number): QueueEntry {
  const properties = new Properties(encodeProperties({ priority }).bytes);
  const message = new Message("", "q", properties, new Uint8Array(position % 7));
  return { message, position, arrivedAt: 0, expiresAt, redelivered: false, failures: 0, returns: 0 };
}

function positions(entries: Iterable<QueueEntry>): number[] {
  return Array.from(entries, ({ position }) => position);
}

function takeAll(ready: ReadyMessages): number[] {
  const taken: number[] = [];
  for (let next = ready.take(); next !== undefined; next = ready.take()) taken.push(next.position);
  return taken;
}

describe("the messages of a classic queue", () => {
  it("leave by position and priority, however they come back", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("push" as const), priority: fc.nat(3) }),
      fc.record({ do: fc.constant("take" as const) }),
      fc.record({ do: fc.constant("back" as const), which: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ready = new ReadyMessages("classic", priorityLanes(2));
        let model: QueueEntry[] = [];
        const out: QueueEntry[] = [];
        let next = 0;
        const level = (each: QueueEntry): number => Math.min(each.message.priority, 2);
        const sorted = (): QueueEntry[] =>
          [...model].sort((left, right) => level(right) - level(left) || left.position - right.position);
        for (const each of steps) {
          if (each.do === "push") {
            const fresh = entry(next++, each.priority);
            ready.push(fresh);
            model.push(fresh);
          } else if (each.do === "take") {
            const taken = ready.take();
            expect(taken).toBe(sorted()[0]);
            if (taken === undefined) continue;
            model = model.filter((other) => other !== taken);
            out.push(taken);
          } else if (out.length > 0) {
            const [back] = out.splice(each.which % out.length, 1) as [QueueEntry];
            ready.putBack(back);
            model.push(back);
          }
          expect(positions(ready)).toEqual(positions(sorted()));
          expect(ready.length).toBe(model.length);
          expect(ready.bytes).toBe(model.reduce((sum, { message }) => sum + message.body.length, 0));
        }
      }),
    );
  });

  it("expire at the head of each line", () => {
    const ready = new ReadyMessages("classic", priorityLanes(1));
    ready.push(entry(0, 0, 50));
    ready.push(entry(1, 0, 10));
    ready.push(entry(2, 1, 20));
    expect(ready.nextExpiry()).toBe(20);
    expect(ready.takeExpired(19)).toBeUndefined();
    expect(ready.takeExpired(20)?.position).toBe(2);
    // The second one is older than its time, and waits behind the first.
    expect(ready.takeExpired(49)).toBeUndefined();
    expect(ready.takeExpired(50)?.position).toBe(0);
    expect(ready.takeExpired(50)?.position).toBe(1);
    expect(ready.nextExpiry()).toBeUndefined();
  });
});

describe("the messages of a quorum queue", () => {
  it("leave first when they came back", () => {
    const ready = new ReadyMessages("quorum", oneLane);
    for (const position of [0, 1, 2]) ready.push(entry(position));
    const [first, second] = [ready.take() as QueueEntry, ready.take() as QueueEntry];
    ready.putBack(second);
    ready.putBack(first);
    expect(positions(ready)).toEqual([1, 0, 2]);
    expect(takeAll(ready)).toEqual([1, 0, 2]);
  });

  it("have two levels of priority, of which the lower has every third turn", () => {
    const ready = new ReadyMessages("quorum", quorumTwoLanes);
    for (const position of [0, 1, 2]) ready.push(entry(position, 4));
    for (const position of [3, 4, 5, 6, 7]) ready.push(entry(position, 5));
    expect(takeAll(ready)).toEqual([3, 4, 0, 5, 6, 1, 7, 2]);
  });

  it("leave before both levels when they came back, and take nobody's turn", () => {
    const ready = new ReadyMessages("quorum", quorumTwoLanes);
    ready.push(entry(0, 0, 70));
    for (const position of [1, 2, 3]) ready.push(entry(position, 5, 60));
    const [first, second] = [ready.take() as QueueEntry, ready.take() as QueueEntry];
    ready.putBack(second);
    ready.putBack(first);
    expect(positions(ready)).toEqual([2, 1, 3, 0]);
    expect(ready.nextExpiry()).toBe(60);
    expect(ready.takeExpired(60)?.position).toBe(2);
    expect(takeAll(ready)).toEqual([1, 0, 3]);
  });
});
