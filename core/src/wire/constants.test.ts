import { describe, expect, it } from "vitest";
import { replyCodes, replyName } from "./constants.ts";
import { ProtocolError, type ProtocolErrorCode } from "./errors.ts";

describe("reply codes", () => {
  it("have the names that reply texts begin with", () => {
    expect(replyName(200)).toBe("SUCCESS");
    expect(replyName(404)).toBe("NOT_FOUND");
    expect(replyName(406)).toBe("PRECONDITION_FAILED");
    expect(replyName(541)).toBe("INTERNAL_ERROR");
    expect(replyName(999)).toBeUndefined();
    expect(new Set(Object.values(replyCodes).map(replyName)).size).toBe(19);
  });

  it("agree with those of protocol errors", () => {
    const codes: readonly ProtocolErrorCode[] = [
      "FRAME_ERROR",
      "SYNTAX_ERROR",
      "COMMAND_INVALID",
      "CHANNEL_ERROR",
      "UNEXPECTED_FRAME",
      "RESOURCE_ERROR",
    ];
    for (const code of codes) expect(replyName(new ProtocolError(code, "").replyCode)).toBe(code);
  });
});
