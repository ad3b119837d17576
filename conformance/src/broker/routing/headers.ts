/** The headers exchange: a binding's arguments against a message's headers. */

import { type Field, type Fields, integerValue, lookup, printValue, sameValue, textValue } from "../codec/fields.ts";
import { Refusal } from "../failures.ts";
import type { Binding, Routable, RoutingTable } from "./binding.ts";

/** What differs between versions. */
export interface HeadersOptions {
  /** 1 and 1.0 are the same. */
  readonly looseNumbers: boolean;
  /** The timestamp of a message is compared as a number of milliseconds, that of a binding as one of seconds. */
  readonly timesInMilliseconds: boolean;
}

const matchKinds = ["all", "any", "all-with-x", "any-with-x"] as const;
type MatchKind = (typeof matchKinds)[number];

/**
 * Checks `x-match` of a binding.
 *
 * @throws Refusal PRECONDITION_FAILED
 */
export function checkMatchKind(bindingArguments: Fields): void {
  const field = lookup(bindingArguments, "x-match");
  if (field === undefined) return;
  if (field.type !== "longstr") {
    throw new Refusal(
      "PRECONDITION_FAILED",
      `Invalid x-match field type ${field.type} (value ${printValue(field)}); expected longstr`,
    );
  }
  if (!isMatchKind(textValue(field))) {
    throw new Refusal(
      "PRECONDITION_FAILED",
      `Invalid x-match field value <<"${printValue(field)}">>; expected all, any, all-with-x, or any-with-x`,
    );
  }
}

/** Whether a message with these headers passes a binding with these arguments. */
export function headersMatch(bindingArguments: Fields, headers: Fields, options: HeadersOptions): boolean {
  const kind = textValue(lookup(bindingArguments, "x-match")) ?? "all";
  const withX = kind.endsWith("-with-x");
  const wantsAny = kind.startsWith("any");
  for (const argument of bindingArguments) {
    if (withX ? argument.name === "x-match" : argument.name.startsWith("x-")) continue;
    if (passes(argument, lookup(headers, argument.name), options) === wantsAny) return wantsAny;
  }
  return !wantsAny;
}

/** A void argument asks for presence alone. */
function passes(argument: Field, header: Field | undefined, options: HeadersOptions): boolean {
  if (header === undefined) return false;
  if (argument.type === "void") return true;
  if (header.type === "timestamp" && options.timesInMilliseconds) {
    const seconds = integerValue(header) as bigint;
    return integerValue(argument) === seconds * 1000n;
  }
  return sameValue(argument, header, options.looseNumbers);
}

function isMatchKind(text: string | undefined): text is MatchKind {
  return (matchKinds as readonly (string | undefined)[]).includes(text);
}

const noHeaders: Fields = [];

/** Bindings are asked one after the other: what one asks for says nothing about another. */
export class HeadersTable<Destination> implements RoutingTable<Destination> {
  readonly #bindings = new Set<Binding<Destination>>();
  readonly #options: HeadersOptions;

  constructor(options: HeadersOptions) {
    this.#options = options;
  }

  add(binding: Binding<Destination>): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding<Destination>): void {
    this.#bindings.delete(binding);
  }

  match(_routingKey: string, message: Routable, found: (destination: Destination) => void): void {
    const headers = message.headers ?? noHeaders;
    for (const binding of this.#bindings) {
      if (headersMatch(binding.arguments, headers, this.#options)) found(binding.destination);
    }
  }
}
