import { expect, it } from "vitest";
import { sendableOptions } from "./connect-options.ts";

it.each([[null], [5672], [new URL("amqp://user:hidden@h")]])("refuses what are no options: %o", (given) => {
  expect(() => sendableOptions(given as never)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/^what connect\(\) takes is/) }),
  );
});
