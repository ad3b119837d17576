import { expect, it } from "vitest";
import { checkDependencies } from "./dependencies.ts";

const manifest = {
  name: "hare",
  files: ["dist", "src", "!src/**/*.test.ts", "!src/**/testing"],
  dependencies: { "@leveret/core": "1" },
  peerDependencies: { ws: "8" },
};
const check = (text: string, file = "src/a.ts") =>
  checkDependencies(manifest, file, text).map(({ message }) => message);

it("accepts files, Node's modules, dependencies and the package itself", () => {
  expect(
    check('import "./b.ts"; import "node:net"; import "@leveret/core/client"; import "ws"; import "hare/b";'),
  ).toEqual([]);
});

it.each([
  ['import { connect } from "@leveret/node";', "hare does not depend on @leveret/node"],
  ['export type { B } from "pino/types";', "hare does not depend on pino"],
  ['const b = await import("valibot");', "hare does not depend on valibot"],
])("refuses %s", (text, message) => {
  expect(check(text)).toEqual([message]);
});

it("lets what is not published be", () => {
  expect(check('import "vitest";', "src/deep/a.test.ts")).toEqual([]);
  expect(check('import "vitest";', "src/deep/testing/a.ts")).toEqual([]);
});
