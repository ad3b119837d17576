import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AmqpHeaderGate, amqpHeader } from "./amqp-header.ts";

describe("the gate for AMQP's protocol header", () => {
  it("passes the header and what follows, however they are split", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.nat(48)), (rest, cuts) => {
        const bytes = Buffer.concat([amqpHeader, rest]);
        const gate = new AmqpHeaderGate();
        let seen = 0;
        for (const part of split(bytes, cuts)) {
          expect(gate.take(part)).toBe(true);
          seen += part.length;
          expect(gate.passed).toBe(seen >= amqpHeader.length);
        }
        expect(Buffer.concat(gate.release())).toEqual(bytes);
      }),
    );
  });

  it("stops at the first byte that is another, however it is split", () => {
    fc.assert(
      fc.property(fc.nat(7), fc.integer({ min: 1, max: 255 }), fc.array(fc.nat(20)), (at, change, cuts) => {
        const bytes = Buffer.concat([amqpHeader, Buffer.alloc(8)]);
        bytes[at] = ((bytes[at] ?? 0) + change) % 256;
        const gate = new AmqpHeaderGate();
        let seen = 0;
        for (const part of split(bytes, cuts)) {
          const isFine = at < seen || at >= seen + part.length;
          expect(gate.take(part)).toBe(isFine);
          expect(gate.passed).toBe(false);
          if (!isFine) return;
          seen += part.length;
        }
      }),
    );
  });

  it("refuses the other protocols that a broker or its neighbours speak", () => {
    const others = [
      "GET / HTTP/1.1\r\n",
      "AMQP\0\x01\0\0",
      "AMQP\x03\x01\0\0",
      "AMQP\x01\x01\0\x09",
      "\x16\x03\x01",
      "\x10\x10\0\x04MQTT",
    ];
    for (const other of others) expect(new AmqpHeaderGate().take(Buffer.from(other, "latin1"))).toBe(false);
  });
});

/** Empty parts are parts too. */
function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
  return ends.slice(1).map((end, index) => bytes.subarray(ends[index], end));
}
