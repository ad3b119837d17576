import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeDeliver } from "./decode.ts";
import { DeliverDecoder } from "./deliver-decoder.ts";
import { writeMethod } from "./encode.ts";
import { Output } from "./output.ts";
import { ShortStrings } from "./short-strings.ts";
import { taken } from "./testing/bytes.ts";

const name = fc.constantFrom("", "a", "b", "ab", "orders.created", "x".repeat(255));

const delivery = fc.record({
  consumerTag: name,
  deliveryTag: fc.nat(2 ** 52),
  redelivered: fc.boolean(),
  exchange: name,
  routingKey: name,
});

const damage = fc.option(fc.record({ at: fc.nat(), value: fc.nat(255) }), { freq: 4 });

describe("a DeliverDecoder", () => {
  it("reads what decodeDeliver reads, and refuses what it refuses, whatever came before", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(delivery, damage), { maxLength: 20 }), (deliveries) => {
        const decoder = new DeliverDecoder(new ShortStrings());
        for (const [fields, broken] of deliveries) {
          const payload = payloadOf(fields);
          if (broken !== null) payload[4 + (broken.at % (payload.length - 4))] = broken.value;
          const read = attempt(() => {
            decoder.read(payload, 0, payload.length);
            return decoder.fields();
          });
          expect(read).toEqual(attempt(() => decodeDeliver(payload, 0, payload.length, new ShortStrings())));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps nothing of the bytes it was lent", () => {
    const decoder = new DeliverDecoder(new ShortStrings());
    const fields = { consumerTag: "c", deliveryTag: 1, redelivered: false, exchange: "e", routingKey: "k" };
    const payload = payloadOf(fields);
    decoder.read(payload, 0, payload.length);
    payload.fill(0xff);
    const next = payloadOf({ ...fields, deliveryTag: 2 });
    decoder.read(next, 0, next.length);
    expect(decoder.fields()).toEqual({ ...fields, deliveryTag: 2 });
  });
});

function payloadOf(fields: Parameters<typeof writeMethod<"basic.deliver">>[3]): Uint8Array {
  const out = new Output();
  writeMethod(out, 1, "basic.deliver", fields, 0);
  return taken(out).slice(7, -1);
}

function attempt(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}
