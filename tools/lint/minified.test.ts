import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { describe, expect, it, onTestFinished } from "vitest";
import { AmqpError } from "../../core/src/wire/errors.ts";
import * as client from "../../core/src/client/index.ts";
import { repositoryRoot } from "../lib/process.ts";

const isErrorClass = (value: unknown): boolean =>
  typeof value === "function" && (value === AmqpError || value.prototype instanceof AmqpError);

const names = Object.entries(client).flatMap(([name, value]) => (isErrorClass(value) ? [name] : []));

/** The client, as a bundler makes it: with the names of its classes shortened. */
async function minified(): Promise<Readonly<Record<string, new (...args: unknown[]) => Error>>> {
  const folder = await mkdtemp(join(tmpdir(), "leveret-minified-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const outfile = join(folder, "client.mjs");
  await build({
    entryPoints: [join(repositoryRoot, "core/src/client/index.ts")],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    logLevel: "silent",
  });
  return import(pathToFileURL(outfile).href);
}

describe("in a minified bundle", () => {
  it("every error has the name of its class", async () => {
    const bundled = await minified();
    expect(names.length).toBeGreaterThan(15);
    expect(bundled["AmqpError"]?.name).not.toBe("AmqpError");
    for (const name of names) {
      const ErrorClass = bundled[name] as new (...args: unknown[]) => Error;
      expect(new ErrorClass([], [], [], {}).name).toBe(name);
    }
  });
});
