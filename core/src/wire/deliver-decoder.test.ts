import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewOf } from "./bytes.ts";
import { decodeDeliver } from "./decode.ts";
import { DeliverDecoder } from "./deliver-decoder.ts";
import { writeMethod } from "./encode.ts";
import type { FrameReader } from "./frame-reader.ts";
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
      fc.property(fc.array(fc.tuple(delivery, damage, fc.nat(5)), { maxLength: 20 }), (deliveries) => {
        const decoder = new DeliverDecoder(new ShortStrings());
        for (const [fields, broken, behind] of deliveries) {
          const payload = payloadOf(fields);
          if (broken !== null) payload[4 + (broken.at % (payload.length - 4))] = broken.value;
          const read = attempt(() => decoder.read(standingAt(payload, behind)));
          expect(read).toEqual(attempt(() => decodeDeliver(payload, 0, payload.length, new ShortStrings())));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps nothing of the bytes it was lent", () => {
    const decoder = new DeliverDecoder(new ShortStrings());
    const fields = { consumerTag: "c", deliveryTag: 1, redelivered: false, exchange: "e", routingKey: "k" };
    const lent = standingAt(payloadOf(fields));
    decoder.read(lent);
    lent.bytes.fill(0xff);
    const next = payloadOf({ ...fields, deliveryTag: 2 });
    expect(decoder.read(standingAt(next))).toEqual({ ...fields, deliveryTag: 2 });
  });
});

function payloadOf(fields: Parameters<typeof writeMethod<"basic.deliver">>[3]): Uint8Array {
  const out = new Output();
  writeMethod(out, 1, "basic.deliver", fields, 0);
  return taken(out).slice(7, -1);
}

/** What a reader shows that stands at a payload, which is somewhere in a chunk. */
function standingAt(payload: Uint8Array, behind = 4): Pick<FrameReader, "bytes" | "view" | "start" | "end"> {
  const bytes = Buffer.alloc(payload.length + 3 + behind, 0xce);
  bytes.set(payload, 3);
  return { bytes, view: viewOf(bytes), start: 3, end: 3 + payload.length };
}

function attempt(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}
