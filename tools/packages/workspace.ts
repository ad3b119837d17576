/** The packages that are published. */

import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "../lib/process.ts";

export interface Package {
  readonly name: string;
  readonly version: string;
  /** Absolute. */
  readonly folder: string;
  /** What can be imported: the name, and the name with each subpath. */
  readonly entries: readonly string[];
  /** The sources of the entries, from the folder. */
  readonly sources: readonly string[];
  /** Names of packages from elsewhere that it needs. */
  readonly foreignDependencies: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function read(folder: string): Package & { readonly isPrivate: boolean } {
  const manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as Manifest;
  return {
    name: manifest.name,
    version: manifest.version,
    folder,
    entries: Object.keys(manifest.exports ?? {})
      .filter((subpath) => !subpath.endsWith(".json"))
      .map((subpath) => path.posix.join(manifest.name, subpath)),
    sources: Object.values(manifest.exports ?? {})
      .map((conditions) => conditions["@leveret/source"])
      .filter((source) => typeof source === "string"),
    foreignDependencies: Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter(
      (name) => !name.startsWith("@leveret/"),
    ),
    isPrivate: manifest.private === true,
  };
}

/** All packages of the workspace but the private ones. */
export function publishedPackages(): Package[] {
  return globSync("{core,conformance,adapter-*}/package.json", { cwd: repositoryRoot })
    .sort()
    .map((file) => read(path.join(repositoryRoot, path.dirname(file))))
    .filter(({ isPrivate }) => !isPrivate);
}
