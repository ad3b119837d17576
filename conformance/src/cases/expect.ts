/** Assertions for cases, which know no test framework. */

/** Something is not as the case says. */
export class CaseError extends Error {
  override readonly name = "CaseError";
}

/** Fails unless `condition` holds. */
export function ok(condition: boolean, what: string): asserts condition {
  if (!condition) throw new CaseError(`not so: ${what}`);
}

/** Fails unless both are the same, fields and elements included. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const difference = differenceOf(actual, expected, what, true);
  if (difference !== undefined) throw new CaseError(difference);
}

/** Fails unless `actual` has everything that `expected` has; it may have more fields. */
export function like(actual: unknown, expected: unknown, what: string): void {
  const difference = differenceOf(actual, expected, what, false);
  if (difference !== undefined) throw new CaseError(difference);
}

/** Waits for a promise that has to reject with an error like this, and gives the error. */
export async function fails(promise: Promise<unknown>, expected: object, what: string): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    like(error, expected, what);
    return error as Error;
  }
  throw new CaseError(`${what}: did not fail, but gave ${show(value)}`);
}

/** Calls a function that has to throw an error like this. */
export function throws(call: () => unknown, expected: object, what: string): void {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    return like(error, expected, what);
  }
  throw new CaseError(`${what}: did not throw, but gave ${show(value)}`);
}

function differenceOf(actual: unknown, expected: unknown, where: string, exactly: boolean): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (!isObject(actual) || !isObject(expected)) return `${where}: expected ${show(expected)}, got ${show(actual)}`;
  if (expected instanceof Date || actual instanceof Date) {
    const same = expected instanceof Date && actual instanceof Date && expected.getTime() === actual.getTime();
    return same ? undefined : `${where}: expected ${show(expected)}, got ${show(actual)}`;
  }
  if (
    ArrayBuffer.isView(expected) !== ArrayBuffer.isView(actual) ||
    Array.isArray(expected) !== Array.isArray(actual)
  ) {
    return `${where}: expected ${show(expected)}, got ${show(actual)}`;
  }
  const names = new Set(Object.keys(expected));
  if (exactly || Array.isArray(expected)) for (const name of Object.keys(actual)) names.add(name);
  for (const name of names) {
    const difference = differenceOf(fieldOf(actual, name), fieldOf(expected, name), `${where}.${name}`, exactly);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function fieldOf(value: object, name: string): unknown {
  return (value as Record<string, unknown>)[name];
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Uint8Array) return `${value.length} bytes [${value.subarray(0, 16).join(" ")}]`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (!isObject(value)) return String(value);
  const fields = Object.entries(value).map(([name, field]) => `${name}: ${isObject(field) ? "{...}" : show(field)}`);
  return `{ ${fields.join(", ")} }`;
}
