import { describe, expect, it } from "vitest";
import { UsageError } from "../wire/errors.ts";
import { checkConfig } from "./check-config.ts";
import type { ConnectionConfig } from "./config.ts";
import { plain } from "./sasl.ts";

const mechanisms = [plain("guest", "secret")];

describe("checkConfig", () => {
  it("takes a configuration with nothing but a mechanism", () => {
    expect(() => checkConfig({ mechanisms })).not.toThrow();
  });

  it.each<[string, Partial<ConnectionConfig>, string]>([
    ["no mechanisms", { mechanisms: [] }, "mechanisms"],
    ["mechanisms that are no array", { mechanisms: undefined as never }, "mechanisms"],
    [
      "a mechanism whose name is too long",
      { mechanisms: [{ name: "M".repeat(256), start: () => new Uint8Array() }] },
      "mechanism",
    ],
    ["a virtual host that is too long", { virtualHost: "v".repeat(256) }, "virtualHost"],
    ["a virtual host that is no text", { virtualHost: "\ud800" }, "virtualHost"],
    ["a locale that is too long", { locale: "l".repeat(256) }, "locale"],
    [
      "client properties that no field type can hold",
      { clientProperties: { a: (() => 1) as never } },
      "clientProperties",
    ],
    ["capabilities that are no table", { clientProperties: { capabilities: true } }, "capabilities"],
    ["capabilities that are an array", { clientProperties: { capabilities: ["x"] } }, "capabilities"],
    ["a connection name that is no text", { connectionName: "\udc00" }, "clientProperties"],
    ["a negative timeout", { handshakeTimeout: -1 }, "handshakeTimeout"],
    ["an endless timeout", { closeTimeout: Number.POSITIVE_INFINITY }, "closeTimeout"],
    ["a timeout that is no number", { requestTimeout: "5" as never }, "requestTimeout"],
    ["a timeout that is NaN", { blockedTimeout: Number.NaN }, "blockedTimeout"],
    ["a frame-max below the minimum", { frameMax: 1000 }, "frameMax"],
  ])("refuses %s", (_, config, name) => {
    expect(() => checkConfig({ mechanisms, ...config })).toThrow(UsageError);
    expect(() => checkConfig({ mechanisms, ...config })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(name) }),
    );
  });

  it("shows no secret of a mechanism", () => {
    expect(() => checkConfig({ mechanisms, virtualHost: "\ud800" })).not.toThrow("secret");
  });
});
