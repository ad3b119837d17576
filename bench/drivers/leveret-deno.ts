/** Leveret on Deno. */

import type * as adapter from "@leveret/node";
import type { Driver } from "./driver.ts";
import { leveret } from "./leveret.ts";

/** Not a literal: its types need those of Deno, which are not those of Node. */
const name: string = "@leveret/deno";
const { connect } = (await import(name)) as typeof adapter;

export const driver: Driver = leveret(connect);
