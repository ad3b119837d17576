/** Whether a second declaration says the same as the first, and in which words the broker complains if not. */

import { type Field, type Fields, type FieldTypeName, lookup, printValue, sameValue } from "../codec/fields.ts";
import { describe, Refusal } from "../failures.ts";

/** Types that are compared by value. */
const typeClasses: Partial<Record<FieldTypeName, string>> = {
  byte: "int",
  unsignedbyte: "int",
  short: "int",
  unsignedshort: "int",
  signedint: "int",
  unsignedint: "int",
  long: "int",
  decimal: "float",
  float: "float",
  double: "float",
};

/** Compares properties and arguments of one queue or exchange, in the order of the calls. */
export class Equivalence {
  readonly #what: string;

  constructor(kind: "queue" | "exchange", name: string, virtualHost: string) {
    this.#what = describe(kind, name, virtualHost);
  }

  /** @throws Refusal PRECONDITION_FAILED */
  property(name: string, current: boolean | string, received: boolean | string): void {
    if (current !== received) throw this.#inequivalent(name, `'${current}'`, `'${received}'`);
  }

  /** @throws Refusal PRECONDITION_FAILED */
  argument(name: string, current: Fields, received: Fields): void {
    const old = lookup(current, name);
    const young = lookup(received, name);
    if (old === undefined && young === undefined) return;
    if (old === undefined || young === undefined) throw this.#inequivalent(name, printTyped(old), printTyped(young));
    if (classOf(old) === classOf(young) && sameValue(old, young, false)) return;
    throw this.#inequivalent(name, `'${printValue(old)}'`, `'${printValue(young)}'`);
  }

  #inequivalent(name: string, current: string, received: string): Refusal {
    const difference = `received ${received} but current is ${current}`;
    return new Refusal("PRECONDITION_FAILED", `inequivalent arg '${name}' for ${this.#what}: ${difference}`);
  }
}

function classOf(field: Field): string {
  return typeClasses[field.type] ?? field.type;
}

function printTyped(field: Field | undefined): string {
  return field === undefined ? "none" : `the value '${printValue(field)}' of type '${field.type}'`;
}
