import { expect, it } from "vitest";
import { encodeProperties } from "../../wire/properties.ts";
import { errorHeaders, errorIn } from "./rpc-error.ts";

it("an error that is cut off in the middle of a character, or has half of one, can be sent all the same", () => {
  const headers = errorHeaders(`${"x".repeat(99)}\u{1f430}`, `${"y".repeat(999)}\u{1f430}`);
  expect(() => encodeProperties({ headers })).not.toThrow();
  expect(errorIn({ headers })).toMatchObject({ remoteCode: `${"x".repeat(99)}\ufffd` });
  expect(() => encodeProperties({ headers: errorHeaders("A", "half: \ud83d, whole: \u{1f430}") })).not.toThrow();
  expect(errorIn({ headers: errorHeaders("A", "half: \ud83d, whole: \u{1f430}") }).message).toBe(
    "half: \ufffd, whole: \u{1f430}",
  );
});
