/** How the values of settings are written, each as a schema that makes of a text what the relay uses. */

import * as v from "valibot";
import { problemOfRange } from "../client-address.ts";
import { problemOfOrigin } from "../origins.ts";
import { parseUpstream, type Upstream, upstreamSchemes } from "../upstream.ts";
import { anyPath } from "../upgrade.ts";

/** A host with its port. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

type Schema<T> = v.GenericSchema<unknown, T>;

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const bytes: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_048_576 };

export const text: Schema<string> = parsed("is a text that is not empty", (given) =>
  typeof given === "string" && given !== "" ? given : undefined,
);

export const onOrOff: Schema<boolean> = parsed("is true or false", (given) => {
  if (typeof given === "boolean") return given;
  return given === "true" ? true : given === "false" ? false : undefined;
});

export const hostAndPort: Schema<HostAndPort> = parsed(
  "is HOST:PORT, such as 127.0.0.1:15670 or [::1]:15670",
  (given) => {
    const match = /^(?:\[([^\]]+)\]|([^\s:/@]+)):(\d{1,5})$/.exec(String(given));
    const port = Number(match?.[3]);
    const host = match?.[1] ?? match?.[2];
    return host === undefined || port > 65_535 ? undefined : { host, port };
  },
);

export const duration: Schema<number> = parsed("is 0 or a duration such as 500ms, 30s, 5m or 12h", (given) =>
  measure(given, milliseconds),
);

/** For what cannot be turned off. */
export const someDuration: Schema<number> = parsed("is a duration such as 500ms, 5s or 1m", (given) => {
  const value = measure(given, milliseconds);
  return value === 0 ? undefined : value;
});

export const size: Schema<number> = parsed("is 0 or a size such as 65536, 64KiB or 1MiB", (given) =>
  measure(given, bytes),
);

export const count: Schema<number> = parsed("is a whole number, 0 for no limit", (given) => measure(given, {}));

export function oneOf<T extends string>(...words: readonly T[]): Schema<T> {
  return parsed(`is ${words.join(" or ")}`, (given) => words.find((word) => word === given));
}

export const origins: Schema<readonly string[]> = listOf(problemOfOrigin);
export const ranges: Schema<readonly string[]> = listOf(problemOfRange);
export const hostNames: Schema<readonly string[]> = listOf((name) =>
  /^(\[[\da-f:.]+\]|[\w.-]+)$/i.test(name) ? undefined : "is a host name without port",
);

/** `URI` or `PATH=URI`, at least one, each path once. */
export const upstreams: Schema<ReadonlyMap<string, Upstream>> = v.pipe(
  v.unknown(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const items = splitList(dataset.value) ?? [];
    if (items.length === 0) {
      addIssue({ message: "names no broker" });
      return NEVER;
    }
    const byPath = new Map<string, Upstream>();
    for (const [index, item] of items.entries()) {
      const problem = addUpstream(byPath, item);
      const which = items.length === 1 ? "" : `(${index + 1} of ${items.length}) `;
      if (problem !== undefined) addIssue({ message: `${which}${problem}` });
    }
    return byPath;
  }),
);

/** Returns what is wrong. */
function addUpstream(byPath: Map<string, Upstream>, item: string): string | undefined {
  const [, path = anyPath, uri = ""] = /^(?:(\/[^\s=?#]*)=)?(.*)$/.exec(item) ?? [];
  if (byPath.has(path)) return path === anyPath ? "is one more without a path" : `is one more for the path ${path}`;
  const upstream = parseUpstream(uri);
  if (typeof upstream !== "string") {
    byPath.set(path, upstream);
    return path === anyPath ? undefined : problemOfPath(path);
  }
  return upstream.endsWith(upstreamSchemes) ? `${upstream}, after the /PATH= that it may have` : upstream;
}

/** Clients write a path in one way only, and another would match nothing. */
function problemOfPath(path: string): string | undefined {
  const sent = new URL(`http://relay.invalid${path}`).pathname;
  return sent === path ? undefined : `is for a path that is sent as ${sent}`;
}

/** A list comes as an array, or as a text with commas or white space between the items. */
export function splitList(given: unknown): readonly string[] | undefined {
  if (typeof given === "string") return given.split(/[\s,]+/).filter((item) => item !== "");
  return Array.isArray(given) && given.every((item) => typeof item === "string") ? given : undefined;
}

function listOf(problemOf: (item: string) => string | undefined): Schema<readonly string[]> {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const items = splitList(dataset.value);
      if (items === undefined) {
        addIssue({ message: "is a list of texts" });
        return NEVER;
      }
      for (const item of items) {
        const problem = problemOf(item);
        if (problem !== undefined) addIssue({ message: `${problem}, not ${JSON.stringify(item)}` });
      }
      return items;
    }),
  );
}

/** @param parse Returns undefined for what is not legal. */
function parsed<T>(legal: string, parse: (given: unknown) => T | undefined): Schema<T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: legal });
      return NEVER;
    }),
  );
}

/** A whole number of units, written as a number or with the name of a unit. */
function measure(given: unknown, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})\s*([A-Za-z]*)$/.exec(String(given)) ?? [];
  const factor = unit === "" ? 1 : units[unit];
  // A text without a unit could be meant in seconds as well.
  const unclear = typeof given === "string" && unit === "" && digits !== "0" && "ms" in units;
  if (digits === undefined || factor === undefined || unclear) return undefined;
  const value = Number(digits) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}
