import { describe, expect, it } from "vitest";
import { checkLayer } from "./layers.ts";

const messages = (file: string, text: string) => checkLayer(file, text).map(({ message }) => message);

describe("imports", () => {
  it.each([
    ["core/src/wire/a.ts", 'import { b } from "./b.ts";'],
    ["core/src/engine/a.ts", 'import { b } from "../wire/b.ts";'],
    ["core/src/index.ts", 'export * from "./engine/b.ts";'],
    ["core/src/recovery/a.ts", 'import type { B } from "../wire/b.ts";'],
    ["core/src/recovery/a.ts", 'import { type B, type C } from "../engine/b.ts";'],
    ["core/src/recovery/a.ts", 'import { UsageError } from "../engine/errors.ts";'],
    ["core/src/client/a.ts", 'import { b } from "../recovery/b.ts";'],
    ["core/src/wire/a.test.ts", 'import { it } from "vitest"; import { readFileSync } from "node:fs";'],
    ["adapter-node/src/a.ts", 'import net from "node:net"; import { b } from "@leveret/core/client";'],
    ["adapter-websocket/src/relay.ts", 'import net from "node:net"; import { WebSocketServer } from "ws";'],
    ["conformance/src/cases/a.ts", 'import { b } from "@leveret/core/client"; import { c } from "../broker/c.ts";'],
    ["conformance/src/runners/a.ts", 'import { b } from "@leveret/node"; import { c } from "../cases/c.ts";'],
    ["conformance/src/broker/node/a.ts", 'import net from "node:net"; import { b } from "../b.ts"; Math.random();'],
    ["docs/examples/a.ts", 'import { b } from "@leveret/node";'],
    ["core/src/otel/a.ts", 'import { b } from "@opentelemetry/api"; import { c } from "../client/index.ts";'],
    ["bench/a.ts", 'import { b } from "../core/src/client/b.ts";'],
  ])("%s may hold %s", (file, text) => {
    expect(messages(file, text)).toEqual([]);
  });

  it.each([
    ["core/src/wire/a.ts", 'import { b } from "../engine/b.ts";', "core/src/engine/b.ts"],
    ["core/src/wire/a.ts", 'import "node:fs";', "node:fs"],
    ["core/src/wire/deep/a.ts", 'export type { B } from "../../client/b.ts";', "core/src/client/b.ts"],
    ["core/src/engine/a.ts", 'import type { B } from "../client/b.ts";', "core/src/client/b.ts"],
    ["core/src/engine/a.ts", 'type B = import("../client/b.ts").B;', "core/src/client/b.ts"],
    ["core/src/index.ts", 'export * from "./client/b.ts";', "core/src/client/b.ts"],
    ["core/src/recovery/a.ts", 'import { b } from "../wire/b.ts";', "core/src/wire/b.ts"],
    ["core/src/recovery/a.ts", 'import { b, type C } from "../engine/b.ts";', "core/src/engine/b.ts"],
    ["core/src/client/a.ts", 'const net = await import("node:net");', "node:net"],
    ["core/src/client/a.ts", 'import { b } from "@leveret/node";', "@leveret/node"],
    ["core/src/client/a.ts", 'import { b } from "@opentelemetry/api";', "@opentelemetry/api"],
    ["core/src/otel/a.ts", 'import { b } from "../engine/b.ts";', "core/src/engine/b.ts"],
    ["adapter-node/src/a.ts", 'import { b } from "@leveret/core";', "@leveret/core"],
    ["adapter-node/src/a.ts", 'import { b } from "../../core/src/client/b.ts";', "core/src/client/b.ts"],
    ["adapter-deno/src/a.ts", 'import net from "node:net";', "node:net"],
    ["adapter-websocket/src/a.ts", 'import { b } from "./relay.ts";', "adapter-websocket/src/relay.ts"],
    ["conformance/src/cases/a.ts", 'import { b } from "@leveret/node";', "@leveret/node"],
    ["conformance/src/broker/a.ts", 'import { b } from "../../../core/src/wire/b.ts";', "core/src/wire/b.ts"],
    ["conformance/src/cases/a.ts", 'import { b } from "../runners/b.ts";', "conformance/src/runners/b.ts"],
    ["conformance/src/broker/a.ts", 'export * from "./node/b.ts";', "conformance/src/broker/node/b.ts"],
    ["docs/examples/a.ts", 'import { b } from "../../core/src/index.ts";', "core/src/index.ts"],
  ])("%s may not hold %s", (file, text, target) => {
    expect(messages(file, text)).toEqual([expect.stringMatching(new RegExp(`may not import ${target}$`))]);
  });
});

describe("what the language itself offers", () => {
  it.each([
    ["Date.now()", "Date.now (clock)"],
    ["new Date()", "new Date() (clock)"],
    ["Date()", "Date() (clock)"],
    ["Math.random()", "Math.random (randomness)"],
    ["async () => {}", "async (promise)"],
    ["Promise.resolve()", "Promise (promise)"],
    ["undefined as unknown as Promise<void>", "Promise (promise)"],
    ["globalThis.process", "globalThis (global object)"],
    ['new Function("return this")', "Function (evaluation)"],
  ])("the engine may not use %s", (expression, use) => {
    expect(messages("core/src/engine/a.ts", `\n\nexport const a = ${expression};`)).toEqual([
      `engine may not use ${use}`,
    ]);
    expect(checkLayer("core/src/engine/a.ts", `\n\nexport const a = ${expression};`)[0]?.line).toBe(3);
  });

  it("the client may use promises, but no clock and no randomness of its own", () => {
    expect(messages("core/src/client/a.ts", "export async function a(): Promise<void> { await 0; }")).toEqual([]);
    expect(messages("core/src/client/a.ts", "export const a = Date.now() * Math.random();")).toEqual([
      "client may not use Date.now (clock)",
      "client may not use Math.random (randomness)",
    ]);
  });

  it("a date is a value like any other, and a key is only a key", () => {
    const text = "export const a = (b: unknown) => b instanceof Date && new Date(0) && { Promise: 1 }.Promise;";
    expect(messages("core/src/wire/a.ts", text)).toEqual([]);
    expect(messages("core/src/wire/a.ts", "// Date.now()\nexport const a = 'new Date()';")).toEqual([]);
  });

  it("adapters and tests do as they please", () => {
    expect(messages("adapter-node/src/a.ts", "export const a = Date.now();")).toEqual([]);
    expect(messages("core/src/engine/a.test.ts", "export const a = Promise.resolve(Math.random());")).toEqual([]);
  });
});
