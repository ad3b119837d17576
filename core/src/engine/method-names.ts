/** Methods by their ids. */

import type { MethodName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";

/** The name of each method by its id: class in the upper 16 bits, method in the lower. */
export const methodNames: ReadonlyMap<number, MethodName> = new Map(
  (Object.keys(methods) as MethodName[]).map((name) => [methods[name].id, name]),
);
