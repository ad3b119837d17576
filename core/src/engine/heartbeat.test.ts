import { describe, expect, it } from "vitest";
import { Heartbeat } from "./heartbeat.ts";

const interval = 10_000;

/** A heartbeat of 10 s that began at 0. */
function heartbeat(): Heartbeat {
  return new Heartbeat(interval / 1000, 0);
}

describe("Heartbeat", () => {
  it("never has anything to do with interval 0", () => {
    const none = new Heartbeat(0, 0);
    expect(none.deadline).toBeUndefined();
    expect(none.advance(1e9)).toBeUndefined();
  });

  describe("sending", () => {
    it("is due after half an interval without output", () => {
      const beat = heartbeat();
      expect(beat.deadline).toBe(interval / 2);
      expect(beat.advance(interval / 2 - 1)).toBeUndefined();
      expect(beat.advance(interval / 2)).toBe("send");
      expect(beat.deadline).toBe(interval);
    });

    it("is put off by output", () => {
      const beat = heartbeat();
      beat.sent(4000);
      expect(beat.deadline).toBe(4000 + interval / 2);
      expect(beat.advance(interval / 2)).toBeUndefined();
    });

    it("goes on while the reader is paused", () => {
      const beat = heartbeat();
      beat.setReading(false, 0);
      expect(beat.advance(interval / 2)).toBe("send");
    });
  });

  describe("silence", () => {
    /** Advances to each time, as a driver with a quiet loop does; returns what the last one said. */
    function advance(beat: Heartbeat, ...times: readonly number[]): ReturnType<Heartbeat["advance"]> {
      let due: ReturnType<Heartbeat["advance"]>;
      for (const time of times) due = beat.advance(time);
      return due;
    }

    it("of two intervals and the grace is death", () => {
      const beat = heartbeat();
      expect(advance(beat, 5000, 10_000, 15_000, 20_000)).toBe("send");
      expect(beat.deadline).toBe(21_000);
      expect(beat.advance(20_999)).toBeUndefined();
      expect(beat.advance(21_000)).toBe("dead");
    });

    it("ends with any bytes, also during the grace", () => {
      const beat = heartbeat();
      advance(beat, 5000, 10_000, 15_000, 20_000);
      beat.heard(20_500);
      expect(advance(beat, 25_000, 30_000, 35_000, 40_000)).toBe("send");
      expect(advance(beat, 40_500, 41_499)).toBeUndefined();
      expect(beat.advance(41_500)).toBe("dead");
    });

    it("is no proof when the loop stalled: the bytes that arrived meanwhile get a chance to be read", () => {
      const beat = heartbeat();
      expect(beat.advance(60_000)).toBe("send");
      beat.heard(60_001);
      expect(beat.advance(62_000)).toBeUndefined();
    });

    it("is no proof while the reader is paused, and counts anew when it goes on", () => {
      const beat = heartbeat();
      beat.setReading(false, 0);
      expect(beat.advance(100_000)).toBe("send");
      expect(beat.deadline).toBe(105_000);
      beat.setReading(true, 100_000);
      expect(advance(beat, 105_000, 110_000, 115_000, 119_999)).toBeUndefined();
      advance(beat, 120_000);
      expect(beat.advance(121_000)).toBe("dead");
    });

    it("has a shorter grace where the interval is short", () => {
      const beat = new Heartbeat(1, 0);
      advance(beat, 2000);
      expect(beat.deadline).toBe(2500);
      expect(beat.advance(2500)).toBe("dead");
    });
  });
});
