import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { UsageError } from "../wire/errors.ts";
import { amqplain, anonymous, external, plain } from "./sasl.ts";

describe("SASL mechanisms", () => {
  it("PLAIN is an empty identity, user and password, with NUL in front of each", () => {
    expect(plain("üser", "pass").start()).toEqual(new Uint8Array(Buffer.from("\0üser\0pass")));
  });

  it("AMQPLAIN is a table without its length", () => {
    // As RabbitMQ's rabbit_auth_mechanism_amqplain reads it: two entries of type S.
    const expected = Buffer.from("\x05LOGINS\0\0\0\x04user\x08PASSWORDS\0\0\0\x04pass", "latin1");
    expect(Buffer.from(amqplain("user", "pass").start())).toEqual(expected);
  });

  it("EXTERNAL and ANONYMOUS say nothing", () => {
    expect(external()).toMatchObject({ name: "EXTERNAL" });
    expect(anonymous()).toMatchObject({ name: "ANONYMOUS" });
    expect(external().start()).toEqual(new Uint8Array(0));
    expect(anonymous().start()).toEqual(new Uint8Array(0));
  });

  it.each([
    ["a NUL in the user name", () => plain("a\0b", "secret")],
    ["a NUL in the password", () => plain("a", "sec\0ret")],
    ["a lone surrogate for PLAIN", () => plain("a", "secret\ud800")],
    ["a lone surrogate for AMQPLAIN", () => amqplain("a", "secret\ud800")],
  ])("refuse %s at once, and do not show it", (_, make) => {
    expect(make).toThrow(UsageError);
    expect(make).not.toThrow(/sec/);
  });

  it("do not show their secrets", () => {
    expect(
      inspect([plain("user", "secret"), amqplain("user", "secret")], { depth: 9, showHidden: false }),
    ).not.toContain("secret");
    expect(JSON.stringify(plain("user", "secret"))).not.toContain("secret");
  });
});
