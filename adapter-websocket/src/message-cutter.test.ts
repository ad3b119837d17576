import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { largestMessage, MessageCutter } from "./message-cutter.ts";

function cut(...writes: (readonly Uint8Array[])[]): Uint8Array[] {
  const cutter = new MessageCutter();
  const messages: Uint8Array[] = [];
  for (const chunks of writes) cutter.cut(chunks, (message) => messages.push(message));
  return messages;
}

const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, index) => index % 251);
const sizes = (messages: readonly Uint8Array[]): number[] => messages.map(({ length }) => length);

describe("messages", () => {
  it("the first 8 bytes are one, whatever is written with them", () => {
    expect(sizes(cut([bytes(8)]))).toEqual([8]);
    expect(sizes(cut([bytes(20)]))).toEqual([8, 12]);
    expect(sizes(cut([bytes(3)], [bytes(3), bytes(10)], [bytes(1)]))).toEqual([3, 5, 8, 1]);
  });

  it("a write is one message, up to the largest", () => {
    const greeting = [bytes(8)];
    expect(sizes(cut(greeting, [bytes(10), bytes(20), bytes(30)]))).toEqual([8, 60]);
    expect(sizes(cut(greeting, [bytes(largestMessage)]))).toEqual([8, largestMessage]);
    expect(sizes(cut(greeting, [bytes(7), bytes(2 * largestMessage)]))).toEqual([8, largestMessage, largestMessage, 7]);
    expect(cut(greeting, [], [new Uint8Array(0)])).toHaveLength(1);
  });

  it("what lies in one chunk is not copied", () => {
    const chunk = bytes(8 + 2 * largestMessage);
    for (const message of cut([chunk])) expect(message.buffer).toBe(chunk.buffer);
  });

  it("are the bytes that were written, however they were", () => {
    const chunk = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.nat(3 * largestMessage).map(bytes));
    fc.assert(
      fc.property(fc.array(fc.array(chunk, { maxLength: 6 }), { maxLength: 4 }), (writes) => {
        const messages = cut(...writes);
        expect(Buffer.concat(messages).equals(Buffer.concat(writes.flat()))).toBe(true);
        expect(messages.every(({ length }) => length > 0 && length <= largestMessage)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
