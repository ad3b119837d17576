import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ReturnEvent } from "../engine/events.ts";
import { Content } from "../engine/content.ts";
import { closedByClient } from "../engine/errors.ts";
import type { Publication } from "../engine/frame-writer.ts";
import { TypedValue } from "../wire/field-values.ts";
import { type BasicProperties, encodeProperties } from "../wire/properties.ts";
import { ReturnedMessage } from "./returned-message.ts";
import { bytes } from "./testing/fixture.ts";
import { Unconfirmed } from "./unconfirmed.ts";

const publication = (routingKey: string, body: string, more: Partial<Publication> = {}): Publication => ({
  exchange: "x",
  routingKey,
  mandatory: true,
  body: bytes(body),
  ...more,
});

function returned({ exchange, routingKey, body, properties }: Publication): ReturnedMessage {
  const encoded = encodeProperties((properties ?? {}) as BasicProperties).bytes;
  const content = new Content(body, encoded);
  const event: ReturnEvent = {
    type: "basic.return",
    channel: 1,
    replyCode: 312,
    replyText: "NO_ROUTE",
    exchange,
    routingKey,
    content,
  };
  return new ReturnedMessage(event);
}

/** Publishes and remembers what became of each. */
class Publishes {
  readonly unconfirmed = new Unconfirmed();
  readonly fates: string[] = [];
  #sequence = 0;

  add(message: Publication): void {
    const sequence = (this.#sequence += 1);
    this.unconfirmed.add(sequence, message, {
      confirmed: () => (this.fates[sequence] = "confirmed"),
      failed: (makeError) => (this.fates[sequence] = (makeError() as { code: string } & Error).code),
    });
  }

  settle(first: number, last: number, outcome: "ack" | "nack" = "ack"): void {
    this.unconfirmed.settle({ type: "settled", channel: 1, first, last, outcome });
  }
}

describe("confirms", () => {
  it("tell each publish once, whatever the order", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (count, random) => {
          const publishes = new Publishes();
          const waiting: number[] = [];
          let bodies = 0;
          for (let sequence = 1; sequence <= count; sequence += 1) {
            publishes.add(publication("k", "abc", { mandatory: false }));
            waiting.push(sequence);
            bodies += 3;
            const next = random.next().value;
            if (next > 0.5 && waiting.length > 0) {
              const index = Math.floor(next * waiting.length) % waiting.length;
              const [one] = waiting.splice(index, 1) as [number];
              publishes.settle(one, one, next > 0.75 ? "ack" : "nack");
              bodies -= 3;
              expect(publishes.fates[one]).toBe(next > 0.75 ? "confirmed" : "NACKED");
            }
            expect(publishes.unconfirmed.count).toBe(waiting.length);
            expect(publishes.unconfirmed.bytes).toBe(bodies);
            expect(publishes.unconfirmed.lowest).toBe(waiting[0] ?? sequence + 1);
          }
          publishes.unconfirmed.end(closedByClient);
          for (const one of waiting) expect(publishes.fates[one]).toBe("CONNECTION_CLOSED");
          expect(publishes.unconfirmed.count).toBe(0);
        },
      ),
    );
  });

  it("stay small while one of them does not come", () => {
    const publishes = new Publishes();
    const message = publication("k", "", { mandatory: false });
    publishes.add(message);
    for (let sequence = 2; sequence <= 1_100_000; sequence += 1) {
      publishes.unconfirmed.add(sequence, message, undefined);
      publishes.settle(sequence, sequence);
    }
    expect(publishes.unconfirmed.lowest).toBe(1);
    expect(publishes.unconfirmed.count).toBe(1);
    publishes.settle(1, 1);
    expect(publishes.fates[1]).toBe("confirmed");
    expect(publishes.unconfirmed.lowest).toBe(1_100_001);
  });

  it("do not tell those who gave up", () => {
    const publishes = new Publishes();
    publishes.add(publication("k", "a"));
    publishes.unconfirmed.forget(1);
    expect(publishes.unconfirmed.count).toBe(1);
    publishes.settle(1, 1);
    expect(publishes.fates[1]).toBeUndefined();
    expect(publishes.unconfirmed.count).toBe(0);
  });
});

describe("returned messages", () => {
  it("are told to the publish they answer, with many in flight and one confirm for all", () => {
    const publishes = new Publishes();
    const messages = Array.from({ length: 1000 }, (_, i) => publication(i % 3 === 0 ? "nowhere" : "queue", `m${i}`));
    for (const message of messages) publishes.add(message);
    for (const [i, message] of messages.entries()) if (i % 3 === 0) publishes.unconfirmed.returned(returned(message));
    publishes.settle(1, 1000);
    expect(publishes.fates.slice(1)).toEqual(messages.map((_, i) => (i % 3 === 0 ? "UNROUTABLE" : "confirmed")));
  });

  it.each<[string, BasicProperties, BasicProperties]>([
    ["a header", { headers: { kind: "a" } }, { headers: { kind: "b" } }],
    ["a nested header", { headers: { a: { b: [1, 2n] } } }, { headers: { a: { b: [1, 3n] } } }],
    ["a date", { timestamp: new Date(1000) }, { timestamp: new Date(2000) }],
    ["an id", { messageId: "1" }, { messageId: "2" }],
    ["bytes", { headers: { b: bytes("a") } }, { headers: { b: bytes("b") } }],
    ["nothing but a property", {}, { correlationId: "2" }],
  ])("are told apart by %s", (_, first, second) => {
    const publishes = new Publishes();
    const a = publication("k", "same", { properties: first });
    const b = publication("k", "same", { properties: second });
    publishes.add(a);
    publishes.add(b);
    publishes.unconfirmed.returned(returned(b));
    publishes.settle(2, 2);
    publishes.settle(1, 1);
    expect(publishes.fates.slice(1)).toEqual(["confirmed", "UNROUTABLE"]);
  });

  it("are recognised when the publish was encoded beforehand, or typed", () => {
    const publishes = new Publishes();
    publishes.add(publication("k", "a", { properties: encodeProperties({ deliveryMode: 2, headers: { n: 1 } }) }));
    publishes.add(publication("k", "a", { properties: { headers: { n: new TypedValue("int64", 1) } } }));
    publishes.unconfirmed.returned(returned(publication("k", "a", { properties: { headers: { n: 1 } } })));
    publishes.settle(2, 2);
    publishes.settle(1, 1);
    expect(publishes.fates.slice(1)).toEqual(["confirmed", "UNROUTABLE"]);
  });

  it("are recognised when the server added to them, or took BCC away", () => {
    const publishes = new Publishes();
    const sent = publication("k", "a", { properties: { headers: { BCC: ["b"], x: 1 } } });
    publishes.add(sent);
    publishes.unconfirmed.returned(
      returned(publication("k", "a", { properties: { headers: { x: 1, added: "yes" }, timestamp: new Date(5000) } })),
    );
    publishes.settle(1, 1);
    expect(publishes.fates[1]).toBe("UNROUTABLE");
  });

  it("are told to somebody when the server changed them beyond recognition", () => {
    const publishes = new Publishes();
    publishes.add(publication("k", "a"));
    publishes.unconfirmed.returned(returned(publication("k", "changed")));
    publishes.settle(1, 1);
    expect(publishes.fates[1]).toBe("UNROUTABLE");
  });

  it("are not told to a publish when another one in flight recognises them", () => {
    const publishes = new Publishes();
    publishes.add(publication("k", "a"));
    publishes.add(publication("k", "b"));
    publishes.unconfirmed.returned(returned(publication("k", "b")));
    publishes.settle(1, 1);
    publishes.settle(2, 2);
    expect(publishes.fates.slice(1)).toEqual(["confirmed", "UNROUTABLE"]);
  });

  it("do not outlive the publishes they could belong to", () => {
    const publishes = new Publishes();
    publishes.add(publication("k", "a"));
    publishes.unconfirmed.returned(returned(publication("k", "a")));
    publishes.settle(1, 1, "nack");
    expect(publishes.fates[1]).toBe("NACKED");
    publishes.add(publication("k", "a"));
    publishes.settle(2, 2);
    expect(publishes.fates[2]).toBe("confirmed");
  });
});
