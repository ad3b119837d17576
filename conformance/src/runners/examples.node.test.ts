/** Runs every program under docs/examples against the broker, and holds the code in the documents to them. */

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, inject, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const exampleTimeout = 60_000;
const { url } = inject("rabbitmq");
const { hostname, port } = new URL(url);

interface Example {
  readonly arguments?: readonly string[];
  /** What it prints when all went well. */
  readonly prints: RegExp;
}

const examples: Readonly<Record<string, Example>> = {
  "embedding.ts": { arguments: [hostname, port], prints: /^10 confirmed, 10 consumed and acknowledged$/m },
  "first-program.ts": { prints: /^Hello, world$/m },
  "publisher-and-consumer.ts": { prints: /^1000 tasks done$/m },
};

const programs = readdirSync(path.join(root, "docs/examples")).filter((name) => name.endsWith(".ts"));

describe("every example", () => {
  it("is run by this test", () => {
    expect(programs.toSorted()).toEqual(Object.keys(examples).toSorted());
  });

  it.each(Object.entries(examples))(
    "%s",
    { timeout: exampleTimeout },
    async (name, { arguments: args = [], prints }) => {
      const program = path.join(root, "docs/examples", name);
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--conditions=@leveret/source", program, ...args],
        { env: { ...process.env, AMQP_URL: url, NODE_OPTIONS: "" }, timeout: exampleTimeout },
      );
      expect(stdout).toMatch(prints);
    },
  );
});

describe("the demo does the main job", () => {
  it.each([
    ["the broker of AMQP_URL", url],
    ["the embedded broker", ""],
  ])("on %s", { timeout: exampleTimeout }, async (broker, AMQP_URL) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=@leveret/source", path.join(root, "tools/demo.ts")],
      { env: { ...process.env, AMQP_URL, NODE_OPTIONS: "", DEMO_MESSAGES: "2000" }, timeout: exampleTimeout },
    );
    expect(stdout).toContain(`connected to ${broker}`);
    expect(stdout).toMatch(/published and confirmed +2000 of 2000\n.*out of order 0, redelivered 0\n.*\n.*all is well/);
  });
});

describe("code in the documents is an excerpt of an example", () => {
  const sources = programs.map((name) => readFileSync(path.join(root, "docs/examples", name), "utf8"));
  const documents = [
    "README.md",
    ...readdirSync(path.join(root, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];

  it.each(documents)("%s", (document) => {
    const text = readFileSync(path.join(root, document), "utf8");
    for (const [, code] of text.matchAll(/^```ts\n(.*?)^```/gms)) {
      expect(
        sources.some((source) => source.includes(code as string)),
        `no example has\n${code}`,
      ).toBe(true);
    }
  });
});
