/** docs/errors.md names every code there is, and no other. */

import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { repositoryRoot } from "./lib/process.ts";

const read = (file: string): string => readFileSync(path.join(repositoryRoot, file), "utf8");

/** The codes that the classes and types of errors declare. */
function declaredCodes(): string[] {
  const codes = new Set<string>();
  const files = globSync("core/src/**/*.ts", { cwd: repositoryRoot }).filter((file) => !file.includes(".test"));
  for (const file of files) {
    const text = read(file).replaceAll(/\/\*\*.*?\*\//gs, "");
    for (const [, code] of text.matchAll(/declare readonly code: "([A-Z_]+)"/g)) codes.add(code as string);
    for (const [, union] of text.matchAll(/type \w+ErrorCode =([^;]+);/g)) {
      for (const [, code] of (union as string).matchAll(/\| "([A-Z_]+)"/g)) codes.add(code as string);
    }
  }
  return [...codes].sort();
}

it("names every code, and no other", () => {
  const named = new Set(
    [...read("docs/errors.md").matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map(([, code]) => code as string),
  );
  const declared = declaredCodes();
  expect(declared.length).toBeGreaterThan(50);
  expect([...named].sort()).toEqual(declared);
});
