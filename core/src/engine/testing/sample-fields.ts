/** Values for the fields of any method. */

import type { MethodDefinition, MethodName } from "../../wire/method-types.ts";
import { methods } from "../../wire/methods.ts";

const samples: Readonly<Record<string, unknown>> = {
  bit: true,
  octet: 1,
  short: 1,
  long: 1,
  longlong: 1,
  shortstr: "s",
  longstr: new Uint8Array(1),
  table: {},
};

/** A value for every field of a method, except for `noWait`. Give it to what takes that method's fields. */
export function sampleFields(name: MethodName): Record<string, unknown> {
  const { fields }: MethodDefinition = methods[name];
  const visible = Object.entries(fields).filter(([field, type]) => !type.startsWith("reserved") && field !== "noWait");
  return Object.fromEntries(visible.map(([field, type]) => [field, samples[type]]));
}

/** The methods that may answer a request. */
export function repliesTo(request: MethodName): readonly MethodName[] {
  const { replies }: MethodDefinition = methods[request];
  return replies ?? [];
}
