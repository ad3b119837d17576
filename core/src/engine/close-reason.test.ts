import { describe, expect, it } from "vitest";
import { closeReason } from "./close-reason.ts";

describe("closeReason", () => {
  it("names the method that failed", () => {
    const reason = closeReason({ replyCode: 404, replyText: "NOT_FOUND - no queue", classId: 50, methodId: 10 });
    expect(reason).toEqual({ replyCode: 404, replyText: "NOT_FOUND - no queue", method: "queue.declare" });
  });

  it.each([
    [0, 0],
    [60, 9999],
    [65_535, 65_535],
  ])("has no method for class %i and method %i", (classId, methodId) => {
    expect(closeReason({ replyCode: 320, replyText: "", classId, methodId }).method).toBeUndefined();
  });
});
