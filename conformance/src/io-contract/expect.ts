/** Assertions for cases, which know no test framework. */

/** A promise of the contract that was not kept. */
export class ContractError extends Error {
  override readonly name = "ContractError";
}

/** Fails unless `condition` holds. */
export function ok(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ContractError(what);
}

/** Fails unless both are the same value. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (!Object.is(actual, expected)) throw new ContractError(`${what}: expected ${show(expected)}, got ${show(actual)}`);
}

/** Fails unless both lists have the same values in the same order. */
export function equalLists(actual: readonly unknown[], expected: readonly unknown[], what: string): void {
  const same = actual.length === expected.length && actual.every((value, index) => Object.is(value, expected[index]));
  if (!same)
    throw new ContractError(
      `${what}: expected [${expected.map(show).join(", ")}], got [${actual.map(show).join(", ")}]`,
    );
}

/** Calls a function that has to throw, and gives what it threw. */
export function thrownBy(call: () => unknown, what: string): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new ContractError(`${what}: nothing was thrown`);
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
