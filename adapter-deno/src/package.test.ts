/** The package has two descriptions: package.json for npm, deno.json for JSR. */

import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

interface Description {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly imports?: Readonly<Record<string, string>>;
}

async function read(name: string): Promise<Description> {
  return JSON.parse(await readFile(new URL(`../${name}`, import.meta.url), "utf8")) as Description;
}

it("is described alike for npm and for JSR", async () => {
  const npm = await read("package.json");
  const jsr = await read("deno.json");
  expect({ name: jsr.name, version: jsr.version, license: jsr.license }).toEqual({
    name: npm.name,
    version: npm.version,
    license: npm.license,
  });
  const sources = Object.entries(jsr.exports).map(([entry, source]) => [entry, { "@leveret/source": source }]);
  expect(npm.exports).toMatchObject(Object.fromEntries(sources));
  expect(Object.keys(jsr.exports)).toEqual(Object.keys(npm.exports).filter((entry) => !entry.endsWith(".json")));
});

it("takes the core of its own version from npm", async () => {
  const core = await read("../core/package.json");
  const jsr = await read("deno.json");
  const entries = ["blocking", "blocking/adapter", "client"];
  expect(jsr.imports).toEqual(
    Object.fromEntries(entries.map((name) => [`@leveret/core/${name}`, `npm:@leveret/core@^${core.version}/${name}`])),
  );
});
