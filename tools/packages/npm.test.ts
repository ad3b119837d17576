import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { runOrThrow } from "../lib/process.ts";
import { checkNpm } from "./npm.ts";

/** A folder, and in it the tarball of a package with a command. */
async function pack(manifest: object, program: string): Promise<{ folder: string; tarball: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), "leveret-npm-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(path.join(folder, "package"));
  const all = { name: "hare", version: "1.0.0", bin: { hare: "hare.js" }, ...manifest };
  await writeFile(path.join(folder, "package/package.json"), JSON.stringify(all));
  await writeFile(path.join(folder, "package/hare.js"), `#!/usr/bin/env node\n${program}\n`, { mode: 0o755 });
  await runOrThrow("tar", ["-czf", "hare.tgz", "package"], { cwd: folder });
  return { folder, tarball: path.join(folder, "hare.tgz") };
}

it("is content with a package that npm installs, and whose command runs", async () => {
  const { folder, tarball } = await pack({}, 'console.log("usage: hare");');
  expect(await checkNpm([tarball], folder)).toEqual([]);
});

it("finds a command that does not run", async () => {
  const { folder, tarball } = await pack({}, "throw new Error('a trap');");
  expect(await checkNpm([tarball], folder)).toEqual([expect.stringMatching(/^hare --help fails:[^]*a trap/)]);
});

it("finds a dependency that only the workspace knows", async () => {
  const { folder, tarball } = await pack({ dependencies: { leveret: "workspace:^" } }, "");
  expect(await checkNpm([tarball], folder)).toEqual([expect.stringMatching(/^npm cannot install[^]*workspace:/)]);
});
