import { describe, expect, it } from "vitest";
import { UsageError } from "../wire/errors.ts";
import { FrameWriter, newCounters } from "./frame-writer.ts";
import { type SentFrame, SentFrames } from "./testing/server.ts";

function writer(frameMax = 4096): {
  writer: FrameWriter;
  counters: ReturnType<typeof newCounters>;
  frames(): SentFrame[];
} {
  const counters = newCounters();
  const made = new FrameWriter(counters);
  made.header();
  made.frameMax = frameMax;
  const sent = new SentFrames();
  return { writer: made, counters, frames: () => sent.read(made.take()) };
}

describe("FrameWriter", () => {
  it.each([
    [4096, 0, 2],
    [4096, 1, 3],
    [4096, 4088, 3],
    [4096, 4089, 4],
    [4096, 20_000, 7],
    [0, 0, 2],
    [0, 20_000, 3],
    [0, 16_777_216, 3],
    [0, 16_777_217, 4],
  ])("counts the frames of a publish with frame-max %i and a body of %i bytes: %i", (frameMax, size, count) => {
    const { writer: target, counters, frames } = writer(frameMax);
    target.publish(1, { exchange: "", routingKey: "q", body: new Uint8Array(size) });
    expect(counters).toMatchObject({ framesSent: count, messagesPublished: 1 });
    // The protocol header is no frame.
    expect(frames()).toHaveLength(count + 1);
    expect(counters.bytesSent).toBeGreaterThan(size);
  });

  it("leaves nothing behind and counts nothing when an encoding throws", () => {
    const { writer: target, counters } = writer();
    const { size } = target;
    expect(() => target.publish(1, { exchange: "e".repeat(256), routingKey: "", body: new Uint8Array(1) })).toThrow(
      UsageError,
    );
    expect(() => target.ack(1, -1, false)).toThrow(UsageError);
    expect(() => target.nack(1, 1.5, false, false)).toThrow(UsageError);
    expect(() => target.reject(1, 2 ** 53, false)).toThrow(UsageError);
    expect(() => target.method(1, "basic.qos", { prefetchSize: 0, prefetchCount: 65_536 })).toThrow(UsageError);
    expect(() => target.encode(1, "basic.qos", { prefetchSize: -1, prefetchCount: 1 })).toThrow(UsageError);
    expect(target.size).toBe(size);
    expect(counters.framesSent).toBe(0);
  });

  describe("with a hold", () => {
    it("counts its bytes in the total at once, and its frames when it is released", () => {
      const { writer: target, counters, frames } = writer();
      target.ack(1, 1, false);
      const hold = target.hold();
      hold.ack(1, 2, false);
      hold.publish(1, { exchange: "", routingKey: "q", body: new Uint8Array(5000) });
      target.ack(2, 3, false);
      expect(target.totalSize).toBe(target.size + hold.size);
      expect(hold.size).toBeGreaterThan(5000);
      expect(counters).toMatchObject({ framesSent: 2, messagesPublished: 0 });

      target.release(hold);
      expect(target.totalSize).toBe(target.size);
      expect(counters).toMatchObject({ framesSent: 7, messagesPublished: 1 });
      const tags = frames().flatMap((frame) =>
        frame.type === "method" && frame.method.name === "basic.ack" ? [frame.method.fields.deliveryTag] : [],
      );
      expect(tags).toEqual([1, 3, 2]);
    });

    it("keeps it no longer than until it is released", () => {
      const { writer: target } = writer();
      const hold = target.hold();
      target.release(hold);
      hold.ack(1, 1, false);
      expect(target.totalSize).toBe(target.size);
    });

    it("forgets it when it is discarded", () => {
      const { writer: target, counters, frames } = writer();
      const hold = target.hold();
      hold.ack(1, 2, false);
      target.discard(hold);
      expect(target.totalSize).toBe(target.size);
      expect(counters.framesSent).toBe(0);
      expect(frames().map(({ type }) => type)).toEqual(["protocol-header"]);
    });
  });
});
