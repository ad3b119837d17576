/**
 * The proof that the engine is pure, by its artifact: bundled into one file it imports nothing, and every name that it
 * does not declare itself is a plain value of the language.
 */

import { build } from "esbuild";
import { repositoryRoot } from "../lib/process.ts";
import { freeNamesOf, impuritiesOf, importsOf, parseSource } from "./syntax.ts";

/** What the engine may take from its surroundings. Date is for values of the type `T`; its clock is refused apart. */
const allowedNames: ReadonlySet<string> = new Set([
  ...["undefined", "NaN", "Infinity", "Object", "Boolean", "Symbol", "Number", "BigInt", "Math", "String", "Date"],
  ...["Array", "Map", "Set", "WeakMap", "WeakSet", "Error", "RangeError", "TypeError", "JSON"],
  ...["ArrayBuffer", "DataView", "Uint8Array", "Uint16Array", "Uint32Array", "Int32Array", "Float64Array"],
  ...["BigUint64Array", "TextEncoder", "TextDecoder"],
]);

/** Bundles an entry with everything it imports. */
export async function bundle(entry: string): Promise<string> {
  const result = await build({
    absWorkingDir: repositoryRoot,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    conditions: ["@leveret/source"],
    external: ["node:*"],
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}

/** What in the bundle breaks the promise; empty when nothing does. */
export function checkBundle(code: string): string[] {
  const source = parseSource("bundle.js", code);
  return [
    ...importsOf(source).map(({ specifier }) => `imports ${specifier}`),
    ...[...freeNamesOf(source)].filter((name) => !allowedNames.has(name)).map((name) => `uses ${name}`),
    ...impuritiesOf(source).map(({ text, what }) => `uses ${text} (${what})`),
  ];
}
