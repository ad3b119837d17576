import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Driver } from "./testing/driver.ts";
import { ServerBytes } from "./testing/server.ts";

const frameMax = 4096;
const fields = { deliveryTag: 1, redelivered: false, exchange: "", routingKey: "k" };

function lending(): Driver {
  const driver = new Driver().open({ frameMax });
  driver.channel();
  driver.engine.channel(1)?.lendBodies("borrower", true);
  return driver;
}

/** What a reader sees that looks at each body when it is handed out, and at no other time. */
function bodies(driver: Driver, chunks: readonly Uint8Array[]): string[] {
  const seen: string[] = [];
  for (const chunk of chunks) {
    driver.engine.receive(chunk, driver.now);
    for (let event = driver.engine.nextEvent(); event !== undefined; event = driver.engine.nextEvent()) {
      if (event.type !== "basic.deliver") throw new Error(`Expected a delivery, got ${event.type}`);
      const { body, properties } = event.content;
      seen.push(`${event.consumerTag} ${body.length} ${body.join()} ${JSON.stringify(properties)}`);
    }
    driver.engine.detachInput();
    chunk.fill(0xff);
  }
  return seen;
}

describe("lent bodies", () => {
  const message = fc.record({
    consumerTag: fc.constantFrom("borrower", "owner"),
    body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 3000, maxLength: 9000, size: "max" })),
    properties: fc.constantFrom({}, { type: "order" }),
  });

  it("are what was sent when they are handed out, however the bytes arrive", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat(30_000), { maxLength: 4 }), (messages, cuts) => {
        const server = new ServerBytes(frameMax);
        for (const { consumerTag, body, properties } of messages) {
          server.method(1, "basic.deliver", { ...fields, consumerTag }).content(1, body, properties);
        }
        const bytes = server.take();
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((end, index) => bytes.slice(at[index], end));
        const expected = messages.map(
          ({ consumerTag, body, properties }) =>
            `${consumerTag} ${body.length} ${body.join()} ${JSON.stringify(properties)}`,
        );
        expect(bodies(lending(), chunks)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("outlive their chunk when only the end of their frame is in the next", () => {
    const server = new ServerBytes(frameMax);
    const body = Uint8Array.from({ length: 2000 }, (_, index) => index);
    server.method(1, "basic.deliver", { ...fields, consumerTag: "borrower" }).content(1, body, {});
    const bytes = server.take();
    const seen = bodies(lending(), [bytes.slice(0, -1), bytes.slice(-1)]);
    expect(seen).toEqual([`borrower 2000 ${body.join()} {}`]);
  });

  it("are where they arrived, and those of others are not", () => {
    const deliver = (driver: Driver, consumerTag: string): boolean => {
      const server = new ServerBytes(frameMax);
      server.method(1, "basic.deliver", { ...fields, consumerTag }).content(1, new Uint8Array(2000), {});
      const chunk = server.take();
      const [event] = driver.receive(chunk);
      return event?.type === "basic.deliver" && event.content.body.buffer === chunk.buffer;
    };
    const driver = lending();
    expect(deliver(driver, "borrower")).toBe(true);
    expect(deliver(driver, "owner")).toBe(false);
    driver.engine.channel(1)?.lendBodies("borrower", false);
    expect(deliver(driver, "borrower")).toBe(false);
  });
});
