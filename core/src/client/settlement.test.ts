import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChannelEngine } from "../engine/channel-engine.ts";
import type { Link } from "./link.ts";
import { Settlement } from "./settlement.ts";

/** What the server knows: a strict model of RabbitMQ's unacknowledged messages, which knows no unknown tags. */
class StrictServer {
  readonly unacked = new Set<number>();
  readonly fates = new Map<number, "ack" | "requeued" | "dropped">();
  readonly log: string[] = [];

  readonly engine = {
    state: "open",
    ack: (tag: number, multiple: boolean) => this.#settle("ack", tag, multiple, "ack"),
    nack: (tag: number, multiple: boolean, requeue: boolean) =>
      this.#settle("nack", tag, multiple, requeue ? "requeued" : "dropped"),
    reject: (tag: number, requeue: boolean) => this.#settle("reject", tag, false, requeue ? "requeued" : "dropped"),
  } as unknown as ChannelEngine;

  #settle(name: string, tag: number, multiple: boolean, fate: "ack" | "requeued" | "dropped"): void {
    if (!this.unacked.has(tag)) throw new Error(`PRECONDITION_FAILED - unknown delivery tag ${tag}`);
    this.log.push(`${name} ${tag}${multiple ? " multiple" : ""}`);
    for (const one of this.unacked) {
      if (one !== tag && !(multiple && one < tag)) continue;
      this.unacked.delete(one);
      this.fates.set(one, fate);
    }
  }
}

function make(): { server: StrictServer; settlement: Settlement; endTurn: () => void } {
  const server = new StrictServer();
  let tasks: { endOfTurn(): void }[] = [];
  const link = { touch: () => {}, beforeTurnEnds: (task: { endOfTurn(): void }) => tasks.push(task) };
  const endTurn = (): void => {
    const due = tasks;
    tasks = [];
    for (const task of due) task.endOfTurn();
  };
  return { server, settlement: new Settlement(server.engine, link as unknown as Link), endTurn };
}

function deliver({ server, settlement }: ReturnType<typeof make>, ...tags: number[]): void {
  for (const tag of tags) {
    server.unacked.add(tag);
    settlement.delivered(tag, false);
  }
}

describe("acknowledging", () => {
  it("sends one turn's run from the lowest tag as one", () => {
    const made = make();
    deliver(made, 1, 2, 3, 4);
    for (const tag of [2, 1, 3]) made.settlement.ack(tag);
    expect(made.server.log).toEqual([]);
    made.endTurn();
    expect(made.server.log).toEqual(["ack 3 multiple"]);
    made.settlement.ack(4);
    made.endTurn();
    expect(made.server.log).toEqual(["ack 3 multiple", "ack 4"]);
  });

  it("sends what has an outstanding delivery below it one by one, in order", () => {
    const made = make();
    deliver(made, 1, 2, 3, 4);
    for (const tag of [4, 2]) made.settlement.ack(tag);
    made.endTurn();
    expect(made.server.log).toEqual(["ack 4", "ack 2"]);
    made.settlement.ack(1);
    made.settlement.ack(3);
    made.endTurn();
    expect(made.server.log).toEqual(["ack 4", "ack 2", "ack 3 multiple"]);
  });

  it("sends acknowledgements before what is refused after them", () => {
    const made = make();
    deliver(made, 1, 2, 3);
    made.settlement.ack(1);
    made.settlement.refuse(2, true, "nack");
    made.settlement.ack(3);
    made.endTurn();
    expect(made.server.log).toEqual(["ack 1", "nack 2", "ack 3"]);
  });

  it("acknowledges up to a tag by the highest one that is outstanding", () => {
    const made = make();
    deliver(made, 1, 2, 3, 4, 5);
    made.settlement.refuse(4, false, "reject");
    made.settlement.ackUpTo(4);
    made.endTurn();
    expect(made.server.log).toEqual(["reject 4", "ack 3 multiple"]);
    made.settlement.ackUpTo(4);
    made.endTurn();
    made.settlement.ackUpTo(0);
    made.endTurn();
    expect(made.server.log).toEqual(["reject 4", "ack 3 multiple", "ack 5"]);
    made.settlement.ackUpTo(0);
    made.endTurn();
    expect(made.server.log).toHaveLength(3);
  });

  it("refuses up to a tag by the highest one that is outstanding", () => {
    const made = make();
    deliver(made, 1, 2, 3, 4);
    made.settlement.ack(3);
    made.settlement.nackUpTo(3, true);
    made.settlement.nackUpTo(3, true);
    expect(made.server.log).toEqual(["ack 3", "nack 2 multiple"]);
    expect(made.settlement.isOutstanding(4)).toBe(true);
  });
});

describe("what cannot be settled", () => {
  it("is a typed error, and nothing is sent", () => {
    const made = make();
    deliver(made, 1, 2);
    made.settlement.delivered(3, true);
    made.settlement.ack(1);
    const { settlement } = made;
    expect(() => settlement.ack(1)).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED", deliveryTag: 1 }));
    expect(() => settlement.refuse(1, true, "nack")).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
    expect(() => settlement.ack(3)).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
    for (const tag of [0, 4, -1, 1.5, Number.NaN]) {
      expect(() => settlement.ack(tag)).toThrow(expect.objectContaining({ code: "UNKNOWN_DELIVERY" }));
    }
    expect(() => settlement.ackUpTo(4)).toThrow(expect.objectContaining({ code: "UNKNOWN_DELIVERY" }));
    expect(() => settlement.nackUpTo(4, true)).toThrow(expect.objectContaining({ code: "UNKNOWN_DELIVERY" }));
    made.endTurn();
    expect(made.server.log).toEqual(["ack 1"]);
  });

  it("is stale when the channel is gone", () => {
    const made = make();
    deliver(made, 1, 2);
    made.settlement.ack(2);
    made.settlement.end();
    expect(made.settlement.isOutstanding(1)).toBe(false);
    expect(() => made.settlement.ack(1)).toThrow(expect.objectContaining({ code: "STALE_DELIVERY" }));
    expect(() => made.settlement.ackUpTo(0)).toThrow(expect.objectContaining({ code: "STALE_DELIVERY" }));
    made.endTurn();
    expect(made.server.log).toEqual([]);
  });

  it("is settled when the server has taken everything back", () => {
    const made = make();
    deliver(made, 1, 2);
    made.settlement.forgetAll();
    expect(() => made.settlement.ack(1)).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
    made.server.unacked.clear();
    deliver(made, 3);
    made.settlement.ack(3);
    made.endTurn();
    expect(made.server.log).toEqual(["ack 3"]);
  });
});

it("has nothing outstanding on a channel that is closing: the server puts it back", () => {
  const made = make();
  const { settlement } = made;
  deliver(made, 1, 2);
  settlement.ack(1);
  expect(settlement.isStale).toBe(false);
  Object.assign(made.server.engine, { state: "closing" });
  expect(settlement.isStale).toBe(true);
  for (const tag of [1, 2]) expect(settlement.isOutstanding(tag)).toBe(false);
  expect(() => settlement.refuse(2, true, "nack")).toThrow(expect.objectContaining({ code: "STALE_DELIVERY" }));
  made.endTurn();
  expect(made.server.log).toEqual([]);
});

describe("a recover", () => {
  it("lets nothing be settled until it is answered, neither what was there nor what arrives meanwhile", () => {
    const made = make();
    deliver(made, 1);
    made.settlement.beginRecover();
    deliver(made, 2);
    for (const tag of [1, 2]) {
      expect(made.settlement.isOutstanding(tag)).toBe(false);
      expect(() => made.settlement.ack(tag)).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
    }
    made.settlement.endRecover();
    made.server.unacked.clear();
    deliver(made, 3);
    made.settlement.ack(3);
    made.endTurn();
    expect(made.server.log).toEqual(["ack 3"]);
  });
});

describe("long runs", () => {
  it("keeps its window small while a delivery is left lying for ever", () => {
    const made = make();
    deliver(made, 1);
    const last = 2_200_000;
    for (let tag = 2; tag <= last; tag += 1) {
      made.settlement.delivered(tag, tag % 1000 !== 0);
      if (tag % 1000 === 0) {
        made.server.unacked.add(tag);
        made.settlement.ack(tag);
        made.endTurn();
      }
    }
    expect(made.server.unacked).toEqual(new Set([1]));
    expect(made.settlement.isOutstanding(1)).toBe(true);
    deliver(made, last + 1);
    made.settlement.ack(last + 1);
    made.endTurn();
    expect(made.server.log.at(-1)).toBe(`ack ${last + 1}`);
    made.settlement.ackUpTo(0);
    expect(made.server.unacked.size).toBe(0);
    expect(() => made.settlement.ack(1)).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
  });
});

describe("whatever is called in whatever order", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant("deliver" as const), noAck: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant("ack" as const), tag: fc.nat(40) }) },
    fc.record({ type: fc.constant("ackUpTo" as const), tag: fc.nat(40) }),
    fc.record({ type: fc.constant("nackUpTo" as const), tag: fc.nat(40) }),
    fc.record({ type: fc.constant("refuse" as const), tag: fc.nat(40), requeue: fc.boolean() }),
    fc.record({ type: fc.constant("endTurn" as const) }),
  );

  it("never sends a tag that the server does not know, and settles everything as it was told", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const made = make();
        const { server, settlement, endTurn } = made;
        const told = new Map<number, "ack" | "requeued" | "dropped">();
        const open = new Set<number>();
        let tag = 0;
        const settle = (one: number, fate: "ack" | "requeued" | "dropped"): void => {
          if (open.delete(one)) told.set(one, fate);
        };
        for (const s of steps) {
          try {
            switch (s.type) {
              case "deliver":
                tag += 1;
                if (s.noAck) settlement.delivered(tag, true);
                else {
                  deliver(made, tag);
                  open.add(tag);
                }
                break;
              case "ack":
                settlement.ack(s.tag);
                settle(s.tag, "ack");
                break;
              case "refuse":
                settlement.refuse(s.tag, s.requeue, "nack");
                settle(s.tag, s.requeue ? "requeued" : "dropped");
                break;
              case "ackUpTo":
                settlement.ackUpTo(s.tag);
                for (const one of [...open]) if (s.tag === 0 || one <= s.tag) settle(one, "ack");
                break;
              case "nackUpTo":
                settlement.nackUpTo(s.tag, true);
                for (const one of [...open]) if (s.tag === 0 || one <= s.tag) settle(one, "requeued");
                break;
              case "endTurn":
                endTurn();
            }
          } catch (error) {
            expect(error).toHaveProperty("name", "SettlementError");
          }
          for (let one = 1; one <= tag; one += 1) expect(settlement.isOutstanding(one)).toBe(open.has(one));
        }
        endTurn();
        expect(server.fates).toEqual(told);
        expect(server.unacked).toEqual(open);
      }),
    );
  });
});
