/**
 * Checks of options. A table says what is legal for each name; what is not is a `UsageError` that names the option,
 * what is legal, and what was given instead - unless it is, or may contain, a secret.
 */

import { maxShortStringSize } from "../wire/constants.ts";
import { UsageError } from "../wire/errors.ts";
import type { ClientMethodName, MethodDefinition } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import { encodeText } from "../wire/text.ts";
import { isInteger } from "../wire/values.ts";

/** Throws when `value` is not legal for the option `name`. */
export type Check = (value: unknown, name: string) => void;

/** One check for every option of `T`. */
export type Checks<T> = { readonly [Name in keyof T]-?: Check };

/** The names of all options of `T`. */
export type Names<T> = { readonly [Name in keyof T]-?: unknown };

/** What {@link defined} leaves of options. */
type Given<T> = { readonly [Name in keyof T]?: Exclude<T[Name], undefined> };

const longestShown = 40;

/** The error about an option, with the value that was given. */
export function illegal(name: string, legal: string, given: unknown): UsageError {
  return new UsageError("INVALID_ARGUMENT", `${name} is ${legal}, not ${show(given)}`);
}

/** The error about an option whose value may not be shown. */
export function illegalSecret(name: string, legal: string, cause?: unknown): UsageError {
  return new UsageError("INVALID_ARGUMENT", `${name} is ${legal}`, { cause });
}

/**
 * Checks that options have no other name than these: one that is misspelled would be ignored in silence. What every call
 * may have, a `signal`, is checked as well.
 *
 * @param whole The name of the object itself, for errors.
 * @param prefix Stands before the names of the options in errors, such as `"tls."`.
 * @throws UsageError INVALID_ARGUMENT
 */
export function checkNames<T>(
  given: unknown,
  names: Names<T>,
  whole = "options",
  prefix = "",
): asserts given is Readonly<Record<string, unknown>> {
  if (!isRecord(given)) throw illegal(whole, "an object", given);
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(names, name)) {
      const known = Object.keys(names).join(", ");
      throw new UsageError("INVALID_ARGUMENT", `${prefix}${name} is not an option; the options are ${known}`);
    }
  }
  const { signal } = given;
  if (signal !== undefined) abortSignal(signal, "signal");
}

/**
 * Checks the names of what a method's call takes: the fields of the method, and what is the client's own.
 *
 * @throws UsageError INVALID_ARGUMENT
 */
export function checkCall(method: ClientMethodName, given: unknown, own: object = { signal: true }): void {
  // Of a version of AMQP before 0-9-1.
  const { ticket: _, ...fields }: MethodDefinition["fields"] = methods[method].fields;
  checkNames(given, { ...fields, ...own });
}

/**
 * Checks every option that is given, and that no other name is.
 *
 * @param whole The name of the object itself, for errors.
 * @param prefix Stands before the names of the options in errors, such as `"tls."`.
 * @param required The options that must be given.
 */
export function checkOptions<T>(
  given: unknown,
  checks: Checks<T>,
  whole: string,
  prefix = "",
  required: readonly (keyof T)[] = [],
): asserts given is T {
  checkNames(given, checks, whole, prefix);
  for (const name of [...Object.keys(given), ...required] as (string & keyof T)[]) {
    const value = given[name];
    if (value !== undefined || required.includes(name)) checks[name](value, prefix + name);
  }
}

/** The options that were given: one that is `undefined` was not. */
export function defined<T extends object>(options: T | undefined): Given<T> {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Given<T>;
}

/** Is it an object of named values, and nothing more special? */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** A check of a value by itself: `what` says what is legal. */
/* @__NO_SIDE_EFFECTS__ */
export function legal(what: string, isLegal: (value: unknown) => boolean): Check {
  return (value, name) => {
    if (!isLegal(value)) throw illegal(name, what, value);
  };
}

export const anyNumber: Check = legal("a number", (value) => typeof value === "number");

export const flag: Check = legal("true or false", (value) => typeof value === "boolean");

export const aFunction: Check = legal("a function", (value) => typeof value === "function");

/** Of whatever realm or library, so by what it does. Its controller is not one. */
export const abortSignal: Check = legal(
  "an AbortSignal",
  (value) => typeof (value as Partial<AbortSignal> | null)?.aborted === "boolean",
);

export const record: Check = legal("an object", isRecord);

export const text: Check = legal("a string", (value) => typeof value === "string");

export const someText: Check = legal(
  "a string that is not empty",
  (value) => typeof value === "string" && value !== "",
);

export function secretText(value: unknown, name: string): asserts value is string {
  if (typeof value !== "string") throw illegalSecret(name, `a string, not of type ${typeof value}`);
}

export const someTexts: Check = (value, name) => {
  if (!Array.isArray(value)) throw illegal(name, "an array of strings", value);
  value.forEach((item, index) => someText(item, `${name}[${index}]`));
};

/** What AMQP sends as a short string. */
export const shortString: Check = (value, name) => {
  text(value, name);
  const size = encodeText(String(value)).length;
  if (size > maxShortStringSize) {
    throw illegalSecret(name, `at most ${maxShortStringSize} bytes long in UTF-8, not ${size} bytes`);
  }
};

/** How long to wait, in milliseconds: for ever with `Infinity`, not at all with what lies in the past. */
export const patience: Check = legal(
  "a number of milliseconds",
  (value) => typeof value === "number" && value >= -Infinity,
);

/** Milliseconds. */
export const duration: Check = legal(
  "a number of milliseconds, 0 or more",
  (value) => typeof value === "number" && value >= 0 && value < Infinity,
);

/* @__NO_SIDE_EFFECTS__ */
export function integer(lowest: number, highest: number): Check {
  return legal(`an integer from ${lowest} to ${highest}`, (value) => isInteger(value, lowest, highest));
}

/** A whole number of things, or `Infinity`. */
export const positive: Check = legal(
  "a positive integer",
  (value) => value === Infinity || isInteger(value, 1, Infinity),
);

/** Any number above 0. */
export const moreThanNothing: Check = legal("a positive number", (value) => typeof value === "number" && value > 0);

/* @__NO_SIDE_EFFECTS__ */
export function oneOf(...words: readonly string[]): Check {
  return legal(words.map((word) => `"${word}"`).join(" or "), (value) => words.includes(String(value)));
}

/**
 * A host name or address.
 *
 * People put URIs here, and URIs have passwords, so only what looks like a host is shown.
 */
export const host: Check = (value, name) => {
  someText(value, name);
  const given = String(value);
  if (/[/@?#]/.test(given)) throw illegalSecret(name, "a host name or an address; a URI goes into the option uri");
  if (/[\p{Cc}\s[\]]/u.test(given)) {
    throw illegal(name, "a host name or an address, without brackets and white space", given);
  }
  if (/^[^:]*:[^:]*$/.test(given)) throw illegal(name, "a host without a port; there is an option port", given);
};

/** Runs a check whose errors do not know what they are about. */
export function named<T>(prefix: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.code, prefix + error.message);
    throw error;
  }
}

function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > longestShown ? `${value.slice(0, longestShown)}…` : value);
  }
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object" || value === null) return String(value);
  return isRecord(value) ? "an object" : Object.prototype.toString.call(value);
}
