/** What a package imports it must depend on; else it works in this repository, and nowhere else. */

import { isBuiltin } from "node:module";
import { matchesGlob } from "node:path";
import type { Violation } from "./layers.ts";
import { importsOf, parseSource } from "./syntax.ts";

/** The part of a package.json that the check looks at. */
export interface Manifest {
  readonly name: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * Holds the imports of one published file against the dependencies of its package. Types count too: who uses the
 * declarations needs them.
 *
 * @param file path from the folder of the package.
 */
export function checkDependencies(manifest: Manifest, file: string, text: string): Violation[] {
  const unpublished = (manifest.files ?? []).filter((glob) => glob.startsWith("!")).map((glob) => glob.slice(1));
  if (unpublished.some((glob) => matchesGlob(file, glob) || matchesGlob(file, `${glob}/**`))) return [];
  const { dependencies, peerDependencies, optionalDependencies } = manifest;
  const known = new Set(Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies }));
  const source = parseSource(file, text);
  return importsOf(source)
    .map(({ specifier, start }) => ({ name: packageOf(specifier), line: source.lineOf(start) }))
    .filter(({ name }) => name !== undefined && name !== manifest.name && !known.has(name))
    .map(({ name, line }) => ({ file, line, message: `${manifest.name} does not depend on ${name}` }));
}

/** The package that a specifier is of; undefined for files, Node's modules, and what is only known when it happens. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("(") || isBuiltin(specifier)) return undefined;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}
